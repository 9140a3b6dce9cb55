#include "run/model.h"

#include "core/log.h"
#include "early_exit/attach.h"
#include "early_exit/exit_task.h"
#include "run/weights.h"

#include <nlohmann/json.hpp>

namespace compress::run {

namespace {

constexpr const char* kMean = "normalize.mean";
constexpr const char* kStd = "normalize.std";

std::vector<double> numbers(const Graph& graph, const char* key) {
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return {};
  const auto list = nlohmann::json::parse(found->second, nullptr, false);
  return list.is_array() ? list.get<std::vector<double>>() : std::vector<double>{};
}

/// Runs `body`; an error that knows no place is one of this value.
template <class Body>
decltype(auto) at_value(const Yaml* value, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    if (value) error.at(value->place);
    throw;
  }
}

}  // namespace

std::string model_section(const std::string& spec) {
  const char* key = std::filesystem::is_directory(spec) ? "run" : spec.ends_with(".onnx") ? "onnx" : "arch";
  auto section = Yaml::map();
  section.set(key, Yaml::scalar(spec, true));
  return to_text(section);
}

Graph open_model(const schedule::Recipe& recipe, const distill::OpenModel& open) {
  const auto& config = recipe.model;
  const auto* section = recipe.root.find("model");
  const auto* source = section ? section->find(!config.arch.empty()   ? "arch"
                                               : !config.onnx.empty() ? "onnx"
                                                                      : "run")
                               : nullptr;
  auto graph = at_value(source, [&] { return open(config.spec()); });
  if (!config.weights.empty())
    at_value(section ? section->find("weights") : nullptr,
             [&] { load_weights(graph, config.weights, config.match == "strict" ? Match::strict : Match::by_name); });
  at_value(recipe.root.find("early_exits"), [&] {
    const auto* output = recipe.training.task.find("output");
    early_exit::attach(graph, recipe.early_exits, output ? output->text : "",
                       static_cast<uint64_t>(recipe.training.seed));
  });
  return graph;
}

std::unique_ptr<train::Task> make_task(const schedule::Recipe& recipe, const Graph& graph, std::string_view otherwise) {
  const auto place = recipe.early_exits.empty() ? Place{} : recipe.root.key_place("early_exits");
  return early_exit::with_exits(train::make_task(recipe.training.task, otherwise), graph, place);
}

void follow_normalization(const Graph& graph, data::DataConfig& config) {
  const auto mean = numbers(graph, kMean), std = numbers(graph, kStd);
  if (mean.empty() || mean.size() != std.size()) return;
  if (!config.mean || !config.std) {
    if (!config.mean) config.mean = mean;
    if (!config.std) config.std = std;
  } else if (*config.mean != mean || *config.std != std) {
    log::warning(
        "the model was made for images normalised with mean [{}] and std [{}], the recipe says mean [{}] and std [{}]",
        fmt::join(mean, ", "), fmt::join(std, ", "), fmt::join(*config.mean, ", "), fmt::join(*config.std, ", "));
  }
}

void note_normalization(Graph& graph, const data::Splits& splits) {
  if (splits.mean.empty()) return;
  graph.metadata[kMean] = nlohmann::json(splits.mean).dump();
  graph.metadata[kStd] = nlohmann::json(splits.std).dump();
}

}  // namespace compress::run
