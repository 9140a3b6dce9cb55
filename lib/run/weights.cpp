#include "run/weights.h"

#include "core/log.h"
#include "core/text.h"
#include "io/checkpoint.h"
#include "io/onnx.h"
#include "io/safetensors.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>

namespace compress::run {

namespace {

namespace fs = std::filesystem;
using NamedTensors = std::map<std::string, at::Tensor>;

constexpr size_t kNamesShown = 5;

NamedTensors parameters_of(const Graph& graph) {
  NamedTensors tensors;
  for (const auto& parameter : graph.parameters()) tensors[parameter.name] = parameter.value;
  return tensors;
}

/// The checkpoint that a folder is, or that the run directory holds: what the run ended with, else the last epoch.
fs::path checkpoint_in(const fs::path& folder) {
  for (const auto* name : {"", "final", "checkpoint"})
    if (fs::exists(folder / name / "state.json")) return folder / name;
  throw request_error("the folder '{}' holds no checkpoint to take the weights from", folder.string())
      .hint("a run directory has a folder 'final' or 'checkpoint'");
}

NamedTensors read_weights(const fs::path& file) {
  if (fs::is_directory(file)) return parameters_of(io::load_checkpoint(checkpoint_in(file)).graph);
  if (!fs::exists(file)) throw request_error("the weights '{}' do not exist", file.string());
  if (file.extension() == ".safetensors") return io::read_safetensors(file).tensors;
  if (file.extension() == ".onnx") return parameters_of(io::import_onnx(file));
  auto error = request_error("the weights '{}' are neither .safetensors nor .onnx nor a run directory", file.string());
  if (file.extension() == ".pt" || file.extension() == ".pth" || file.extension() == ".ckpt")
    error.hint(fmt::format("tools/convert_checkpoint.py {} --output FILE.safetensors converts a checkpoint of PyTorch",
                           file.string()));
  throw error;
}

/// The tensors under the names that PyTorch's own module would give them.
NamedTensors with_plain_names(NamedTensors tensors, const Graph& graph) {
  constexpr std::string_view kPrefix = "module.";
  NamedTensors plain;
  for (auto& [name, tensor] : tensors) {
    if (name.ends_with("num_batches_tracked") && !graph.find_parameter(name)) continue;
    const bool prefixed = name.starts_with(kPrefix) && !graph.find_parameter(name);
    plain[prefixed ? name.substr(kPrefix.size()) : name] = std::move(tensor);
  }
  return plain;
}

/// What a file and a network do not have in common.
struct Differences {
  std::vector<std::string> missing, misfits, unused;
  bool empty() const { return missing.empty() && misfits.empty() && unused.empty(); }
};

std::string first_names(const std::vector<std::string>& names) {
  const std::vector<std::string> some(names.begin(),
                                      names.begin() + static_cast<int64_t>(std::min(names.size(), kNamesShown)));
  return join(some, ", ") + (names.size() > kNamesShown ? fmt::format(" and {} more", names.size() - kNamesShown) : "");
}

/// Quoted; the first ones with the nearest name of the other side.
std::vector<std::string>
with_nearest(const std::vector<std::string>& names, const std::vector<std::string>& others, std::string_view side) {
  std::vector<std::string> texts;
  for (const auto& name : names) {
    const auto near = texts.size() < kNamesShown ? nearest(name, others) : "";
    texts.push_back(near.empty() ? fmt::format("'{}'", name) : fmt::format("'{}' ({} '{}')", name, side, near));
  }
  return texts;
}

Error misfit_error(const fs::path& file, const Differences& differences) {
  auto error = request_error("the weights '{}' do not fit the model", file.string());
  if (!differences.missing.empty())
    error.hint("the file lacks " + first_names(with_nearest(differences.missing, differences.unused, "it has")));
  if (!differences.misfits.empty()) error.hint("other shapes: " + first_names(differences.misfits));
  if (!differences.unused.empty())
    error.hint("the model lacks " + first_names(with_nearest(differences.unused, differences.missing, "it has")));
  error.hint("with 'match: by_name' (--match by_name) only what fits is loaded");
  return error;
}

void warn_of(const fs::path& file, const Differences& differences) {
  if (!differences.missing.empty())
    log::warning("[model] '{}' lacks {}: they stay as they are", file.string(), first_names(differences.missing));
  if (!differences.misfits.empty())
    log::warning("[model] '{}' has other shapes, left out: {}", file.string(), first_names(differences.misfits));
  if (!differences.unused.empty())
    log::warning("[model] the model lacks {} of '{}'", first_names(differences.unused), file.string());
}

void assign(Graph& graph, const Parameter& parameter, const at::Tensor& value, const fs::path& file) {
  if (value.is_floating_point() && !at::isfinite(value).all().item<bool>())
    throw request_error("the tensor '{}' of '{}' holds values that are no finite numbers", parameter.name,
                        file.string());
  graph.assign(parameter.name, value.to(parameter.value.scalar_type(), /*non_blocking=*/false, /*copy=*/true));
}

}  // namespace

void load_weights(Graph& graph, const fs::path& file, Match match) {
  auto tensors = with_plain_names(read_weights(file), graph);
  Differences differences;
  int64_t loaded = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto found = tensors.find(name);
    const auto& parameter = graph.parameter(name);
    if (found == tensors.end()) {
      // Integers (indices) are part of the graph, not something that was trained.
      if (parameter.value.is_floating_point()) differences.missing.push_back(name);
      continue;
    }
    if (found->second.sizes() == parameter.value.sizes()) {
      assign(graph, parameter, found->second, file);
      ++loaded;
    } else {
      differences.misfits.push_back(fmt::format("'{}' ({} in the model, {} in the file)", name,
                                                shape_text(parameter.value.sizes()),
                                                shape_text(found->second.sizes())));
    }
    tensors.erase(found);
  }
  for (const auto& [name, tensor] : tensors) differences.unused.push_back(name);
  if (match == Match::strict && !differences.empty()) throw misfit_error(file, differences);
  if (loaded == 0)
    throw request_error("no tensor of '{}' fits a parameter of the model by name and shape", file.string());
  warn_of(file, differences);
  log::info("[model] loaded {} of {} parameters from {}", loaded, graph.parameter_names().size(), file.string());
}

}  // namespace compress::run
