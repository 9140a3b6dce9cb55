// compress apply M --pass NAME: passes without a recipe.
#include "command.h"
#include "core/text.h"
#include "io/onnx.h"
#include "passes/pass.h"
#include "run/preflight.h"

namespace compress::tools {

namespace {

struct Flags {
  ModelFlags model;
  std::string output;
  std::vector<std::string> passes;
};

std::unique_ptr<passes::Pass> make_pass(const std::string& name) {
  try {
    return passes::passes().make(name);
  } catch (Error& error) {
    throw error.hint("see 'compress list passes'");
  }
}

void apply(const Flags& flags) {
  run::require_writable_file(flags.output);
  auto graph = open_model(flags.model);
  auto rows = nlohmann::json::array();
  std::string text;
  for (const auto& name : flags.passes) {
    const auto pass = make_pass(name);
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
  app.add_option("-o,--output", flags->output, "ONNX file to write")->required();
  return [flags] { apply(*flags); };
}

}  // namespace

extern const Command apply_command;
const Command apply_command{"apply", "run graph passes on a model",
                            "compress apply model.onnx --pass thin fold_batchnorm --output small.onnx", add};

}  // namespace compress::tools
