#include "io/checkpoint.h"

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "io/blame.h"
#include "io/folder_exchange.h"
#include "io/onnx.h"
#include "io/safetensors.h"
#include "io/zero_packing.h"

#include <set>

namespace compress::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kFormat = "compress checkpoint";
/// 2: tensors of mostly zeros are packed.
constexpr int kVersion = 2;
constexpr std::string_view kMaskPrefix = "mask/";
/// Of the graph's own tensors that are packed; the others are in the model's file.
constexpr std::string_view kParameterPrefix = "parameter/";
constexpr const char* kGraphFile = "graph.onnx";
constexpr const char* kTensorFile = "tensors.safetensors";
constexpr const char* kStateFile = "state.json";
/// Any operator of the table exists in it.
constexpr int kCheckpointOpset = 21;

constexpr const char* kRepair = "use another checkpoint, or start the run again without --resume";

std::set<std::string> sparse_parameters(const Graph& graph) {
  std::set<std::string> names;
  for (const auto& parameter : graph.parameters())
    if (is_worth_packing(parameter.value)) names.insert(parameter.name);
  return names;
}

/// The checkpoint's tensors with what the graph keeps beside the model: masks and sparse parameters.
std::map<std::string, at::Tensor> with_graph(const Checkpoint& checkpoint, const std::set<std::string>& sparse) {
  auto tensors = checkpoint.tensors;
  for (const auto& [name, tensor] : tensors)
    for (const auto prefix : {kMaskPrefix, kParameterPrefix})
      if (name.starts_with(prefix)) throw run_error("the name '{}' is kept for the graph's tensors", name);
  for (const auto& parameter : checkpoint.graph.parameters()) {
    if (parameter.mask.defined()) tensors[std::string(kMaskPrefix) + parameter.name] = parameter.mask;
    if (sparse.contains(parameter.name)) tensors[std::string(kParameterPrefix) + parameter.name] = parameter.value;
  }
  return tensors;
}

std::string seal(Json content) {
  content.erase("checksum");
  content["checksum"] = checksum(content.dump());
  return content.dump(1) + "\n";
}

Json describe_files(const fs::path& folder) {
  Json files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto bytes = read_file(entry.path());
    files[entry.path().filename().string()] = {{"bytes", bytes.size()}, {"checksum", checksum(bytes)}};
  }
  return files;
}

Json read_state(const fs::path& folder) {
  const auto path = folder / kStateFile;
  if (!fs::is_directory(folder)) throw request_error("there is no checkpoint '{}'", folder.string());
  if (!fs::exists(path))
    throw request_error("the checkpoint '{}' has no {}", folder.string(), kStateFile).hint(kRepair);
  const auto bytes = read_file(path);
  auto content = Json::parse(bytes, nullptr, false);
  if (!content.is_object() || content.value("format", Json()) != kFormat || !content.contains("files") ||
      !content["files"].is_object() || seal(content) != bytes)
    throw request_error("the checkpoint's '{}' is damaged", path.string()).hint(kRepair);
  if (content["version"] != kVersion)
    throw request_error("the checkpoint '{}' has version {}, this program reads {}", folder.string(),
                        content["version"].dump(), kVersion)
        .hint("use the version of compress that wrote it");
  return content;
}

void check_file(const fs::path& path, const Json& expected) {
  if (!fs::exists(path)) throw request_error("the checkpoint's '{}' is missing", path.string()).hint(kRepair);
  const auto bytes = read_file(path);
  if (expected["bytes"] != bytes.size())
    throw request_error("the checkpoint's '{}' has {} bytes instead of {}", path.string(), bytes.size(),
                        expected["bytes"].dump())
        .hint(kRepair);
  if (expected["checksum"] != checksum(bytes))
    throw request_error("the checkpoint's '{}' is damaged: its checksum is wrong", path.string()).hint(kRepair);
}

/// Moves the tensors whose names begin with `prefix` out of the map, under the rest of their names.
std::map<std::string, at::Tensor> take(std::map<std::string, at::Tensor>& tensors, std::string_view prefix) {
  std::map<std::string, at::Tensor> taken;
  std::erase_if(tensors, [&](auto& named) {
    const bool found = named.first.starts_with(prefix);
    if (found) taken[named.first.substr(prefix.size())] = named.second;
    return found;
  });
  return taken;
}

std::map<std::string, at::Tensor> read_tensors(const fs::path& file) {
  return blame_file(file.string(), [&] { return unpack_zeros(read_safetensors(file)); });
}

Graph read_graph(const fs::path& folder, std::map<std::string, at::Tensor>& tensors) {
  const auto misfit = [&](std::string_view prefix, const std::string& name) {
    return request_error("'{}' has '{}{}', which fits no parameter of the graph", (folder / kTensorFile).string(),
                         prefix, name)
        .hint(kRepair);
  };
  const auto values = take(tensors, kParameterPrefix);
  auto graph = read_onnx_exactly(folder / kGraphFile, values);
  for (const auto& [name, value] : values)
    if (!graph.find_parameter(name)) throw misfit(kParameterPrefix, name);
  for (const auto& [name, mask] : take(tensors, kMaskPrefix)) {
    auto* parameter = graph.find_parameter(name);
    if (!parameter || parameter->value.sizes() != mask.sizes()) throw misfit(kMaskPrefix, name);
    parameter->mask = mask;
  }
  return graph;
}

}  // namespace

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const auto work = folder_in_work(folder);
  try {
    fs::remove_all(work);
    fs::create_directories(work);
    const auto sparse = sparse_parameters(checkpoint.graph);
    export_onnx(checkpoint.graph, work / kGraphFile,
                {.opset = kCheckpointOpset, .own_operators = true, .elsewhere = sparse});
    write_safetensors(work / kTensorFile, pack_zeros(with_graph(checkpoint, sparse)));
    const Json content{
        {"format", kFormat}, {"version", kVersion}, {"files", describe_files(work)}, {"state", checkpoint.state}};
    write_file(work / kStateFile, seal(content));
    exchange_folder(folder);
  } catch (...) {
    auto error = current_error();
    std::error_code ignored;
    fs::remove_all(work, ignored);
    if (error.fault() == Fault::request) error = Error(Fault::run, error.message());
    error.during("saving the checkpoint '" + folder.string() + "'");
    throw error;
  }
}

Checkpoint load_checkpoint(const fs::path& place) {
  const auto folder = surviving_folder(place);
  auto content = read_state(folder);
  for (const auto& [name, expected] : content["files"].items()) check_file(folder / name, expected);
  auto tensors = read_tensors(folder / kTensorFile);
  auto graph = read_graph(folder, tensors);
  return {.graph = std::move(graph), .tensors = std::move(tensors), .state = std::move(content["state"])};
}

}  // namespace compress::io
