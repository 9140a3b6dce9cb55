// compress run RECIPE: train, compress, evaluate, export, check.
#include "run/run.h"

#include "command.h"
#include "core/text.h"
#include "run/model.h"
#include "zoo.h"

#include <filesystem>

namespace compress::tools {

namespace {

struct Flags {
  std::string recipe, model, weights, data, out, resume;
  std::vector<std::string> overrides;
  int64_t num_best_scores = 0;
  bool dry_run = false, reset_optimizer = false;
  std::string command;
};

/// --model and --data say the same as --set model..., data...; they come first, so that --set can refine them.
std::vector<std::string> overrides(const Flags& flags) {
  std::vector<std::string> all;
  if (!flags.model.empty()) all.push_back("model=" + run::model_section(flags.model));
  if (!flags.data.empty()) {
    const auto colon = flags.data.find(':');
    all.push_back("data.name=" + flags.data.substr(0, colon));
    if (colon != std::string::npos) all.push_back("data.path=" + flags.data.substr(colon + 1));
  }
  if (!flags.weights.empty()) all.push_back("model.weights=" + to_text(Yaml::scalar(flags.weights, true)));
  if (flags.num_best_scores > 0) all.push_back(fmt::format("training.num_best_scores={}", flags.num_best_scores));
  all.insert(all.end(), flags.overrides.begin(), flags.overrides.end());
  return all;
}

schedule::Recipe read_recipe(const Flags& flags) {
  if (flags.resume.empty()) {
    if (flags.reset_optimizer)
      throw request_error("--reset-optimizer needs --resume: a new run's optimiser has no state yet")
          .hint("--weights RUN starts a new run with the weights of another");
    if (flags.recipe.empty())
      throw request_error("no recipe is given").hint("compress run RECIPE, or compress run --resume RUN");
    return schedule::Recipe::read(flags.recipe, overrides(flags));
  }
  if (!flags.out.empty()) throw request_error("a resumed run stays in its folder: --out cannot change it");
  if (!overrides(flags).empty())
    throw request_error(
        "a resumed run keeps its recipe: --set, --model, --weights, --data and --num-best-scores cannot change it");
  const auto saved = std::filesystem::path(flags.resume) / "recipe.yaml";
  if (!std::filesystem::exists(saved))
    throw request_error("'{}' is no run directory: it has no recipe.yaml", flags.resume);
  auto recipe = schedule::Recipe::read(saved);
  if (!flags.recipe.empty() && schedule::Recipe::read(flags.recipe).hash() != recipe.hash())
    throw request_error("the run '{}' was started with another recipe than '{}'", flags.resume, flags.recipe)
        .hint("leave the recipe out to go on with the run's own");
  return recipe;
}

std::string cell(const nlohmann::json& measurement, const char* key, bool metric = false) {
  const auto& object = metric ? measurement.at("metrics") : measurement;
  if (!object.contains(key)) return "-";
  const auto& value = object.at(key);
  return value.is_number_integer() ? with_commas(value.get<int64_t>()) : fmt::format("{:.2f}", value.get<double>());
}

std::string ratio(const nlohmann::json& summary, const char* key) {
  return summary.at("ratio").contains(key) ? fmt::format("{:.3f} x", summary.at("ratio").at(key).get<double>()) : "";
}

/// Nothing when only the best one was asked for.
std::string best_epochs_text(const nlohmann::json& summary) {
  const auto& best = summary.at("best_epochs");
  if (best.size() < 2) return "";
  Table table({"best epoch", "validation", "sparsity %"});
  for (const auto& score : best)
    table.row({std::to_string(score.at("epoch").get<int64_t>() + 1),
               fmt::format("{:.4g}", score.at("value").get<double>()),
               fmt::format("{:.1f}", score.at("sparsity").get<double>())});
  return table.str() + "\n";
}

/// The confusion matrix itself when it fits a terminal.
std::string confusion_text(const run::Outcome& outcome) {
  if (!outcome.summary.contains("confusion_matrix")) return "";
  const train::ConfusionMatrix matrix{outcome.summary.at("confusion_matrix")};
  const auto names = outcome.summary.at("classes").get<std::vector<std::string>>();
  return (matrix.counts.size() <= kMostClassesShown ? matrix.str(names) + "\n" : "") +
         fmt::format("classes  {}\n", (outcome.directory / "confusion.csv").string());
}

std::string summary_text(const run::Outcome& outcome) {
  const auto& summary = outcome.summary;
  const auto& before = summary.at("baseline");
  const auto& after = summary.at("result");
  Table table({"", "before", "after", "ratio"});
  for (const auto& [name, value] : after.at("metrics").items())
    table.row({"test " + name, cell(before, name.c_str(), true), cell(after, name.c_str(), true), ""});
  table.row({"MACs", cell(before, "macs"), cell(after, "macs"), ratio(summary, "macs")});
  table.row({"parameters", cell(before, "parameters"), cell(after, "parameters"), ratio(summary, "parameters")});
  table.row({"non-zero parameters", cell(before, "nonzero"), cell(after, "nonzero"), ratio(summary, "nonzero")});
  table.row(
      {"weight bytes", cell(before, "weight_bytes"), cell(after, "weight_bytes"), ratio(summary, "weight_bytes")});
  std::string text = "\n" + table.str() + "\n";
  text += best_epochs_text(summary) + confusion_text(outcome);
  for (const auto& row : summary.at("exports"))
    text += fmt::format("model    {} ({}, {})\n", row.at("file").get<std::string>(),
                        row.at("format").get<std::string>(), human_bytes(row.at("bytes").get<int64_t>()));
  text += fmt::format("metrics  {}\nsummary  {}\ntime     {}\n", (outcome.directory / "metrics.jsonl").string(),
                      (outcome.directory / "summary.json").string(), human_time(summary.at("seconds").get<double>()));
  return text;
}

void run(const Flags& flags) {
  const auto recipe = read_recipe(flags);
  const auto open = [&](const std::string& spec) {
    return models::open_model(spec, static_cast<uint64_t>(recipe.training.seed));
  };
  if (flags.dry_run) {
    const auto text = run::describe(recipe, open);
    return print({{"recipe", recipe.name}, {"timeline", text}}, text);
  }
  const auto outcome = run::run_recipe(recipe, {.out = flags.resume.empty() ? flags.out : flags.resume,
                                                .resume = !flags.resume.empty(),
                                                .reset_optimizer = flags.reset_optimizer,
                                                .command = flags.command,
                                                .open_model = open});
  print(outcome.summary, summary_text(outcome));
  if (outcome.failed_checks.empty()) return;
  Error error(Fault::check, "a check of the recipe failed: " + outcome.failed_checks[0]);
  for (size_t i = 1; i < outcome.failed_checks.size(); ++i)
    error.also(Error(Fault::check, "a check of the recipe failed: " + outcome.failed_checks[i]));
  throw error;
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("recipe", flags->recipe, "YAML recipe");
  app.add_option("--model", flags->model, kModelHelp);
  app.add_option("--weights", flags->weights,
                 "start with the weights of a safetensors or ONNX file or a run directory, and nothing else of it");
  app.add_option("--data", flags->data, kDataHelp);
  app.add_option("--out", flags->out, "run directory (default: runs/NAME/TIMESTAMP)");
  app.add_option("--set", flags->overrides, "override a value of the recipe: --set training.epochs=3")
      ->allow_extra_args(false);
  app.add_option("--num-best-scores", flags->num_best_scores, "report so many of the best epochs (default: 1)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--resume", flags->resume, "run directory to go on with");
  app.add_flag("--reset-optimizer", flags->reset_optimizer,
               "with --resume: forget the optimiser's state (momentum); epoch, masks and weights stay");
  app.add_flag("--dry-run", flags->dry_run,
               "bind all names and print the timeline; no data is read, nothing is written");
  return [flags] {
    flags->command = "compress run" + (flags->recipe.empty() ? "" : " " + flags->recipe);
    if (!flags->model.empty()) flags->command += " --model " + flags->model;
    if (!flags->data.empty()) flags->command += " --data " + flags->data;
    if (!flags->weights.empty()) flags->command += " --weights " + flags->weights;
    for (const auto& assignment : flags->overrides) flags->command += " --set " + assignment;
    run(*flags);
  };
}

}  // namespace

extern const Command run_command;
const Command run_command{"run", "run a recipe: train, compress, evaluate, export, check",
                          "compress run schedules/lenet5_fashion_mnist.yaml --set training.epochs=3 --out runs/short",
                          add};

}  // namespace compress::tools
