#include "command.h"

#include "run/weights.h"
#include "zoo.h"

#include <fmt/format.h>

namespace compress::tools {

GlobalOptions& global() {
  static GlobalOptions options;
  return options;
}

void print(const nlohmann::json& object, const std::string& text) {
  const auto output =
      global().json ? object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n" : text;
  if (std::fwrite(output.data(), 1, output.size(), stdout) != output.size() || std::fflush(stdout) != 0)
    throw run_error("standard output cannot be written");
}

void ModelFlags::declare(CLI::App& app) {
  app.add_option("model", spec, kModelHelp)->required();
  auto* file =
      app.add_option("--weights", weights, "take the weights from a safetensors or ONNX file or run directory");
  app.add_option("--match", match, "strict: names and shapes are the model's; by_name: what fits is taken")
      ->check(CLI::IsMember({"strict", "by_name"}))
      ->needs(file);
}

Graph open_model(const ModelFlags& flags) {
  if (flags.weights.empty()) return models::open_model(flags.spec, 1);
  const auto match = flags.match == "strict" ? run::Match::strict : run::Match::by_name;
  // What a strict match replaces anyway need not be drawn.
  auto graph = models::open_model(flags.spec, match == run::Match::strict ? models::Seed() : models::Seed(1));
  run::load_weights(graph, flags.weights, match);
  return graph;
}

}  // namespace compress::tools
