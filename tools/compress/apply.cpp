// compress apply M --pass NAME: passes without a recipe.
#include "command.h"
#include "core/text.h"
#include "core/yaml.h"
#include "io/onnx.h"
#include "passes/pass.h"
#include "run/model.h"
#include "run/preflight.h"
#include "train/samples.h"

#include <optional>

namespace compress::tools {

namespace {

struct Flags {
  ModelFlags model;
  std::string output, data;
  std::vector<std::string> passes, settings;
  int64_t seed = 1;
};

std::unique_ptr<passes::Pass> make_pass(const std::string& name) {
  try {
    return passes::passes().make(name);
  } catch (Error& error) {
    throw error.hint("see 'compress list passes'");
  }
}

/// The arguments of --set PASS.ARGUMENT=VALUE, by pass.
Yaml arguments_of(const Flags& flags) {
  Yaml all = Yaml::map();
  for (const auto& name : flags.passes) all.set(name, Yaml::map());
  for (const auto& assignment : flags.settings) {
    const auto name = assignment.substr(0, assignment.find_first_of(".="));
    if (!all.find(name))
      throw request_error("--set {}: no pass '{}' is to be run", assignment, name)
          .hint("--set PASS.ARGUMENT=VALUE, with a PASS of --pass");
    set_override(all, assignment);
  }
  return all;
}

/// With its arguments, checked against the graph.
std::unique_ptr<passes::Pass> prepare_pass(const std::string& name, const Yaml& arguments, const Graph& graph) {
  auto pass = make_pass(name);
  Settings settings;
  pass->declare(settings);
  settings.read(arguments, fmt::format("pass '{}'", name));
  Problems problems;
  pass->bind(
      graph, [](const std::string& spec) { return open_model({.spec = spec}); }, problems);
  problems.raise();
  return pass;
}

/// The data that passes look at: read when the first one asks.
class TrainingSamples {
public:
  explicit TrainingSamples(const Flags& flags) : flags_(flags) {}

  void give(passes::Pass& pass, const Graph& graph) {
    const auto need = pass.needs();
    if (need.samples == 0 || flags_.data.empty()) return;
    if (!splits_) open(graph);
    pass.look_at([this, &graph, need](const auto& consume) {
      train::for_training_samples(
          graph, *splits_,
          {.samples = need.samples, .batch_size = need.batch_size, .seed = static_cast<uint64_t>(flags_.seed)}, {},
          consume);
    });
  }

private:
  void open(const Graph& graph) {
    data::DataConfig config;
    config.set_source(flags_.data);
    run::follow_normalization(graph, config);
    splits_ = data::open_splits(config, static_cast<uint64_t>(flags_.seed));
  }

  const Flags& flags_;
  std::optional<data::Splits> splits_;
};

void apply(const Flags& flags) {
  run::require_writable_file(flags.output);
  auto graph = open_model(flags.model);
  TrainingSamples samples(flags);
  const auto arguments = arguments_of(flags);
  auto rows = nlohmann::json::array();
  std::string text;
  for (const auto& name : flags.passes) {
    const auto pass = prepare_pass(name, *arguments.find(name), graph);
    samples.give(*pass, graph);
    const auto changes = passes::run(*pass, name, graph);
    rows.push_back({{"pass", name},
                    {"nodes_changed", changes.nodes_changed},
                    {"parameters_removed", changes.removed.size()},
                    {"parameters_sliced", changes.sliced.size()}});
    text += fmt::format("{}: {} nodes changed, {} parameters removed, {} sliced\n", name, changes.nodes_changed,
                        changes.removed.size(), changes.sliced.size());
  }
  io::export_onnx(graph, flags.output);
  print({{"file", flags.output}, {"passes", rows}}, text + "wrote " + flags.output + "\n");
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.declare(app);
  app.add_option("--pass", flags->passes, "pass to run, in order (compress list passes)")->required();
  app.add_option("--set", flags->settings, "an argument of a pass: PASS.ARGUMENT=VALUE (compress explain PASS)");
  app.add_option("-o,--output", flags->output, "ONNX file to write")->required();
  app.add_option("--data", flags->data, "for passes that look at training samples: " + std::string(kDataHelp));
  app.add_option("--seed", flags->seed, "which samples they see, and which form the validation split");
  return [flags] { apply(*flags); };
}

}  // namespace

extern const Command apply_command;
const Command apply_command{"apply", "run graph passes on a model",
                            "compress apply model.onnx --pass thin fold_batchnorm --output small.onnx", add};

}  // namespace compress::tools
