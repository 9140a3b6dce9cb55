#include "run/model.h"

#include "core/log.h"
#include "core/text.h"
#include "io/onnx.h"
#include "io/safetensors.h"

#include <nlohmann/json.hpp>

namespace compress::run {

namespace {

constexpr const char* kMean = "normalize.mean";
constexpr const char* kStd = "normalize.std";

std::map<std::string, at::Tensor> read_weights(const std::filesystem::path& file) {
  if (file.extension() == ".safetensors") return io::read_safetensors(file).tensors;
  if (file.extension() == ".onnx") {
    std::map<std::string, at::Tensor> tensors;
    const auto graph = io::import_onnx(file);
    for (const auto& parameter : graph.parameters()) tensors[parameter.name] = parameter.value;
    return tensors;
  }
  throw request_error("the weights '{}' are neither .safetensors nor .onnx", file.string());
}

std::vector<double> numbers(const Graph& graph, const char* key) {
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return {};
  const auto list = nlohmann::json::parse(found->second, nullptr, false);
  return list.is_array() ? list.get<std::vector<double>>() : std::vector<double>{};
}

std::string first_names(const std::vector<std::string>& names) {
  std::vector<std::string> some(names.begin(), names.begin() + std::min<size_t>(names.size(), 5));
  return join(some, ", ") + (names.size() > 5 ? fmt::format(" and {} more", names.size() - 5) : "");
}

}  // namespace

std::string model_section(const std::string& spec) {
  const char* key = std::filesystem::is_directory(spec) ? "run" : spec.ends_with(".onnx") ? "onnx" : "arch";
  auto section = Yaml::map();
  section.set(key, Yaml::scalar(spec, true));
  return to_text(section);
}

Graph open_model(const schedule::ModelConfig& config, const distill::OpenModel& open) {
  auto graph = open(config.spec());
  if (!config.weights.empty()) load_weights(graph, config.weights, config.match == "strict");
  return graph;
}

void load_weights(Graph& graph, const std::filesystem::path& file, bool strict) {
  auto tensors = read_weights(file);
  std::vector<std::string> missing, misfits;
  int64_t loaded = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto found = tensors.find(name);
    const auto& parameter = graph.parameter(name);
    if (found == tensors.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != parameter.value.sizes()) {
      misfits.push_back(fmt::format("{} ({} in the model, {} in the file)", name, shape_text(parameter.value.sizes()),
                                    shape_text(found->second.sizes())));
      tensors.erase(found);
    } else {
      graph.assign(name, found->second.to(parameter.value.scalar_type()).clone());
      tensors.erase(found);
      ++loaded;
    }
  }
  std::vector<std::string> unused;
  for (const auto& [name, tensor] : tensors) unused.push_back(name);
  if (strict && !(missing.empty() && misfits.empty() && unused.empty())) {
    auto error = request_error("the weights '{}' do not fit the model", file.string());
    if (!missing.empty()) error.hint("the file lacks " + first_names(missing));
    if (!misfits.empty()) error.hint("other shapes: " + first_names(misfits));
    if (!unused.empty()) error.hint("the model lacks " + first_names(unused));
    error.hint("with 'match: by_name' only what fits is loaded");
    throw error;
  }
  if (loaded == 0)
    throw request_error("no tensor of '{}' fits a parameter of the model by name and shape", file.string());
  log::info("[model] loaded {} of {} parameters from {}", loaded, graph.parameter_names().size(), file.string());
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
