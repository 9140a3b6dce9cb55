// The life of a run: prepare (nothing written yet) -> train with checkpoints -> evaluate -> export -> check -> summary.
#include "run/run.h"

#include "core/file.h"
#include "core/log.h"
#include "core/text.h"
#include "io/safetensors.h"
#include "passes/pass.h"
#include "quant/quantizer.h"
#include "report/run_directory.h"
#include "report/weights_sparsity.h"
#include "run/checks.h"
#include "run/export.h"
#include "run/measure.h"
#include "run/model.h"
#include "run/preflight.h"
#include "run/progress.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace compress::run {

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// Everything a run needs, made and checked before anything is written.
struct Session {
  schedule::Recipe recipe;
  Graph graph;
  data::Splits splits;
  std::unique_ptr<train::Task> task;
  std::unique_ptr<train::Optimizer> optimizer;
  std::unique_ptr<schedule::Scheduler> scheduler;
  train::EvaluateOptions evaluation;
  int64_t epochs = 0;
};

void require(const schedule::Recipe& recipe) {
  if (!recipe.has_model())
    throw request_error("the recipe names no model")
        .hint("add 'model: {arch: lenet5}' (or onnx:, run:), or give --model");
  if (!recipe.has_data())
    throw request_error("the recipe names no data").hint("add 'data: {name: fashion_mnist}', or give --data");
}

Session prepare(const schedule::Recipe& recipe, const distill::OpenModel& open) {
  require(recipe);
  check_surroundings(recipe);
  Session session{.recipe = recipe, .graph = run::open_model(recipe, open)};
  auto& config = session.recipe;
  check_formats(recipe, session.graph);
  check_inputs(recipe, session.graph);
  const auto device = train::parse_device(config.training.device);
  follow_normalization(session.graph, config.data);
  session.scheduler = config.bind(session.graph, open);
  session.splits = data::open_splits(config.data, static_cast<uint64_t>(config.training.seed));
  note_normalization(session.graph, session.splits);
  session.graph.metadata["recipe.hash"] = config.hash();
  session.task = make_task(config, session.graph, session.splits.info.task);
  session.task->bind(session.graph, session.splits.train->fields());
  train::match_inputs(session.graph, session.splits.train->fields(), config.model.inputs);
  check_metrics(config.checks, *session.task);
  session.scheduler->bind_task(*session.task, session.splits);
  train::check_freeze(config.training.freeze, session.graph);
  session.optimizer = train::make_optimizer(config.training.optimizer);
  session.evaluation = {.batch_size = config.data.batch_size, .device = device, .inputs = config.model.inputs};
  config.training.inputs = config.model.inputs;
  session.epochs = config.epochs();
  return session;
}

/// Null for what is not finite: checkpoints hold finite numbers only.
json metrics_json(const train::Metrics& metrics) {
  json object = json::object();
  for (const auto& [name, value] : metrics) object[name] = std::isfinite(value) ? json(value) : json();
  return object;
}

/// Trains with a checkpoint after every epoch and keeps track of the best one.
class Training {
public:
  Training(Session& session, const report::RunDirectory& directory)
      : session_(session), directory_(directory), trainer_(session.graph,
                                                           session.splits,
                                                           *session.task,
                                                           *session.optimizer,
                                                           *session.scheduler,
                                                           session.recipe.training,
                                                           session.epochs,
                                                           session.recipe.data.batch_size,
                                                           session.recipe.data.prefetch),
        files_(directory, session.recipe.hash(), *session.scheduler, *session.optimizer, trainer_) {
    trainer_.state().directory = directory.path();
    trainer_.after_epoch = [this](const train::State& state) { after_epoch(state); };
  }

  void start() {
    measure_baseline(0);
    files_.save(session_.graph, progress_);
  }

  void resume(bool fresh_optimizer) {
    files_.load(session_.graph, progress_, fresh_optimizer);
    if (fresh_optimizer) log::info("[run] the optimiser starts without its state");
    directory_.rewind_metrics(progress_.next_epoch);
    log::info("[run] going on with epoch {} of {}", progress_.next_epoch + 1, session_.epochs);
  }

  void run() {
    if (progress_.next_epoch >= session_.epochs) take_best();
    trainer_.run(progress_.next_epoch);
  }

  const RunProgress& progress() const { return progress_; }

private:
  /// The baseline is the model just before the first compressing policy acts.
  void measure_baseline(int64_t next_epoch) {
    if (!progress_.baseline.is_null() || next_epoch < session_.scheduler->first_compressing_epoch(session_.epochs))
      return;
    auto options = session_.evaluation;
    options.title = "baseline";
    const auto baseline = measure(trainer_.result(), session_.splits.test, "test", *session_.task, options);
    progress_.baseline = to_json(baseline);
    std::string text;
    for (const auto& [name, value] : baseline.metrics) text += fmt::format("  {} {:.4g}", name, value);
    log::info("[run] baseline on the test split:{}", text);
  }

  void after_epoch(const train::State& state) {
    note_metrics(state);
    note_best(state);
    progress_.next_epoch = state.epoch + 1;
    measure_baseline(progress_.next_epoch);
    files_.save(session_.graph, progress_);
    if (progress_.next_epoch == session_.epochs) take_best();
  }

  void note_metrics(const train::State& state) {
    const auto counts = count(session_.graph);
    directory_.append_metrics({{"epoch", state.epoch},
                               {"lr", state.optimizer.lr()},
                               {"training", metrics_json(state.training)},
                               {"loss_terms", metrics_json(state.mean_loss_terms)},
                               {"validation", metrics_json(state.validation)},
                               {"sparsity", counts.sparsity},
                               {"nonzero_parameters", counts.nonzero},
                               {"macs", counts.macs}});
    std::string text;
    for (const auto& [name, value] : state.validation) text += fmt::format("  {} {:.4g}", name, value);
    log::info("[train] epoch {}/{}  loss {:.4f}  validation:{}  sparsity {:.1f} %", state.epoch + 1, state.epochs,
              train::metric(state.training, "loss"), text, counts.sparsity);
  }

  void note_best(const train::State& state) {
    const double value = train::metric(state.validation, session_.task->main_metric());
    if (std::isnan(value) || state.epoch < session_.scheduler->first_settled_epoch()) return;
    auto& best = progress_.best;
    const auto beaten = [&](const json& other) {
      const auto its = other.at("value").get<double>();
      return session_.task->higher_is_better() ? value > its : value < its;
    };
    const auto place = std::find_if(best.begin(), best.end(), beaten);
    const bool is_best = place == best.begin();
    best.insert(place, json::object({{"epoch", state.epoch},
                                     {"value", value},
                                     {"validation", metrics_json(state.validation)},
                                     {"sparsity", count(session_.graph).sparsity}}));
    if (std::ssize(best) > session_.recipe.training.num_best_scores) best.erase(best.end() - 1);
    if (is_best) files_.save_best(trainer_.result());
    log_best();
  }

  void log_best() const {
    if (session_.recipe.training.num_best_scores == 1) return;
    for (const auto& score : progress_.best)
      log::info("[train] best {} {:.4g} on validation, sparsity {:.1f} %, in epoch {}", session_.task->main_metric(),
                score.at("value").get<double>(), score.at("sparsity").get<double>(),
                score.at("epoch").get<int64_t>() + 1);
  }

  /// Training ends with the weights of the best epoch (they have the last epoch's structure: all compressing policies
  /// have ended).
  void take_best() {
    const auto epoch = progress_.best_epoch();
    write_averages();
    if (epoch < 0 || epoch == session_.epochs - 1) return trainer_.take_averages();
    const at::NoGradGuard no_grad;
    const auto best = files_.load_best();
    for (const auto& parameter : best.parameters()) session_.graph.writable(parameter.name).copy_(parameter.value);
    log::info("[run] taking the weights of epoch {} ({} {:.4g} on validation)", epoch + 1, session_.task->main_metric(),
              progress_.best.at(0).at("value").get<double>());
  }

  /// With `ema: {apply: false}` the averages are a file beside the result.
  void write_averages() const {
    const auto* averages = trainer_.averages();
    if (!averages || averages->config().apply) return;
    auto averaged = session_.graph.clone();
    averages->put_into(averaged);
    std::map<std::string, at::Tensor> tensors;
    for (const auto& parameter : averaged.parameters()) tensors[parameter.name] = parameter.value.detach();
    io::write_safetensors(directory_.file("ema.safetensors"), {.tensors = std::move(tensors)});
  }

  Session& session_;
  const report::RunDirectory& directory_;
  train::Trainer trainer_;
  ProgressStore files_;
  RunProgress progress_;
};

std::vector<int64_t>
export_files(const Session& session, const Graph& graph, const report::RunDirectory& directory, json& rows) {
  std::vector<int64_t> sizes;
  for (const auto& config : session.recipe.exports) {
    const auto path = directory.file(config.file);
    const auto file = export_model(graph, config, path);
    sizes.push_back(file.bytes);
    rows.push_back({{"file", path.string()}, {"format", config.format}, {"opset", file.opset}, {"bytes", file.bytes}});
  }
  return sizes;
}

json ratios(const Measurement& before, const Measurement& after) {
  const auto ratio = [](int64_t a, int64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  return {{"macs", ratio(after.macs, before.macs)},
          {"parameters", ratio(after.parameters, before.parameters)},
          {"nonzero", ratio(after.nonzero, before.nonzero)},
          {"weight_bytes", ratio(after.weight_bytes, before.weight_bytes)}};
}

json summary(const Session& session, const RunProgress& progress, const RunOptions& options) {
  const auto& recipe = session.recipe;
  const auto size = [](const data::DatasetPtr& dataset) { return dataset ? dataset->size() : int64_t{0}; };
  json object = json::object();
  object["name"] = recipe.name;
  object["command"] = options.command;
  object["model"] = recipe.model.spec();
  object["recipe_hash"] = recipe.hash();
  object["seed"] = recipe.training.seed;
  object["epochs"] = session.epochs;
  object["device"] = recipe.training.device;
  object["threads"] = at::get_num_threads();
  object["data"] = {{"name", recipe.data.name},
                    {"train", size(session.splits.train)},
                    {"validation", size(session.splits.validation)},
                    {"test", size(session.splits.test)}};
  object["baseline"] = progress.baseline;
  object["best_epoch"] = progress.best_epoch();
  object["best_epochs"] = progress.best;
  return object;
}

Outcome conclude(Session& session,
                 const report::RunDirectory& directory,
                 const RunProgress& progress,
                 const RunOptions& options,
                 double seconds) {
  quant::finish(session.graph);
  auto evaluation = session.evaluation;
  evaluation.title = "test";
  const auto baseline = measurement_from_json(progress.baseline);
  const auto result = measure(session.graph, session.splits.test, "test", *session.task, evaluation);
  if (!result.exits.empty()) log::info("[run] early exits on the test split:\n{}", result.exits.str());
  ProgressStore::save_final(directory, session.graph);
  write_file(directory.file("weights_sparsity.csv"), report::weights_sparsity(session.graph).csv());
  Outcome outcome{.directory = directory.path()};
  auto exports = json::array();
  const auto sizes = export_files(session, session.graph, directory, exports);
  outcome.failed_checks = failed_checks(session.recipe.checks, baseline, result, sizes);
  for (const auto& policy : session.scheduler->policies())
    if (auto unmet = policy->unmet(); !unmet.empty()) outcome.failed_checks.push_back(std::move(unmet));
  outcome.summary = summary(session, progress, options);
  outcome.summary["result"] = to_json(result);
  outcome.summary["ratio"] = ratios(baseline, result);
  outcome.summary["exports"] = exports;
  if (!result.confusion.empty()) {
    write_file(directory.file("confusion.csv"), result.confusion.csv(session.splits.info.class_names));
    outcome.summary["confusion_matrix"] = result.confusion.counts;
    outcome.summary["classes"] = session.splits.info.class_names;
  }
  outcome.summary["failed_checks"] = outcome.failed_checks;
  outcome.summary["seconds"] = seconds;
  directory.write_summary(outcome.summary);
  return outcome;
}

/// A run that was interrupted or failed (disk full) says how to go on.
template <class Body>
Outcome with_resume_hint(const report::RunDirectory& directory, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    if (error.fault() == Fault::interrupted)
      error.hint("go on with: compress run --resume " + directory.path().string());
    throw;
  }
}

}  // namespace

Outcome run_recipe(const schedule::Recipe& recipe, const RunOptions& options) {
  const auto start = Clock::now();
  train::set_threads(recipe.training.threads);
  auto session = prepare(recipe, options.open_model);
  const auto directory =
      options.resume ? report::RunDirectory::open(options.out) : report::RunDirectory::create(options.out, recipe.name);
  if (!options.resume) write_file(directory.recipe(), to_text(recipe.root));
  log::open_file(directory.file("log.txt"));
  log::info("[run] {} -> {}", recipe.name, directory.path().string());
  Training training(session, directory);
  const auto doing = fmt::format("running '{}' in {}", recipe.name, directory.path().string());
  return with_resume_hint(directory, [&] {
    return within(doing, [&] {
      options.resume ? training.resume(options.reset_optimizer) : training.start();
      training.run();
      return conclude(session, directory, training.progress(), options,
                      std::chrono::duration<double>(Clock::now() - start).count());
    });
  });
}

std::string describe(const schedule::Recipe& recipe, const distill::OpenModel& open) {
  check_surroundings(recipe);
  if (!recipe.has_model()) return recipe.timeline();
  auto graph = run::open_model(recipe, open);
  check_formats(recipe, graph);
  check_inputs(recipe, graph);
  train::check_freeze(recipe.training.freeze, graph);
  const auto scheduler = recipe.bind(graph, open);
  check_data(recipe, graph);
  return recipe.timeline();
}

}  // namespace compress::run
