#include "io/checkpoint.h"

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "io/folder_exchange.h"
#include "io/onnx.h"
#include "io/safetensors.h"

namespace compress::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kFormat = "compress checkpoint";
constexpr int kVersion = 1;
constexpr std::string_view kMaskPrefix = "mask/";
constexpr const char* kGraphFile = "graph.onnx";
constexpr const char* kTensorFile = "tensors.safetensors";
constexpr const char* kStateFile = "state.json";
/// Any operator of the table exists in it.
constexpr int kCheckpointOpset = 21;

constexpr const char* kRepair = "use another checkpoint, or start the run again without --resume";

std::map<std::string, at::Tensor> with_masks(const Checkpoint& checkpoint) {
  auto tensors = checkpoint.tensors;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(kMaskPrefix)) throw run_error("the name '{}' is kept for the graph's masks", name);
  for (const auto& parameter : checkpoint.graph.parameters())
    if (parameter.mask.defined()) tensors[std::string(kMaskPrefix) + parameter.name] = parameter.mask;
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

void take_masks(Checkpoint& checkpoint, const fs::path& file) {
  for (auto it = checkpoint.tensors.begin(); it != checkpoint.tensors.end();) {
    if (!it->first.starts_with(kMaskPrefix)) {
      ++it;
      continue;
    }
    auto* parameter = checkpoint.graph.find_parameter(it->first.substr(kMaskPrefix.size()));
    if (!parameter || parameter->value.sizes() != it->second.sizes())
      throw request_error("'{}' has '{}', which fits no parameter of the graph", file.string(), it->first)
          .hint(kRepair);
    parameter->mask = it->second;
    it = checkpoint.tensors.erase(it);
  }
}

}  // namespace

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  const auto work = folder_in_work(folder);
  try {
    fs::remove_all(work);
    fs::create_directories(work);
    export_onnx(checkpoint.graph, work / kGraphFile, {.opset = kCheckpointOpset, .own_operators = true});
    write_safetensors(work / kTensorFile, {.tensors = with_masks(checkpoint)});
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
  Checkpoint checkpoint{.graph = read_onnx_exactly(folder / kGraphFile),
                        .tensors = read_safetensors(folder / kTensorFile).tensors,
                        .state = std::move(content["state"])};
  take_masks(checkpoint, folder / kTensorFile);
  return checkpoint;
}

}  // namespace compress::io
