#include "run/export.h"

#include "core/file.h"
#include "io/onnx.h"
#include "passes/pass.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "quant/export/overflow_guard.h"
#include "quant/quantizer.h"
#include "run/preflight.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace compress::run {
namespace {

namespace fs = std::filesystem;

void require_form(const quant::ExportFormat& format, bool quantized, bool encodings) {
  if (quantized && format.lower == nullptr)
    throw request_error("the format '{}' is floating point, but the model is quantised", format.name)
        .hint("use the format 'onnx-qdq', or 'onnx-float' with encodings");
  if (!quantized && format.lower != nullptr)
    throw request_error("the format '{}' needs a quantised model, and this one has no quantisers", format.name)
        .hint("use the format 'onnx', or quantise first");
  if (!quantized && encodings)
    throw request_error("encodings describe quantisers, and this model has none").hint("quantise first");
}

/// For the opset asked for. Without one the usual form decides which opset there has to be, and what that opset can say
/// better is said so.
Graph lowered(const Graph& finished, const quant::ExportFormat& format, std::optional<int> opset) {
  auto graph = format.lower(finished, opset.value_or(io::kUsualOpset));
  if (const auto needed = io::usual_opset(graph); !opset && needed > io::kUsualOpset)
    graph = format.lower(finished, needed);
  return graph;
}

using Files = std::vector<std::pair<fs::path, std::string>>;

/// All texts are made before the first file is written.
Files encodings_of(const std::vector<std::string>& names,
                   const Graph& finished,
                   const Graph& deployed,
                   const fs::path& path) {
  Files files;
  if (names.empty()) return files;
  const auto model = quant::encoded_model(finished, deployed);
  for (const auto& name : names)
    files.emplace_back(encodings_file(path, name), quant::encodings_writers().make(name)->text(model));
  return files;
}

/// A folder that nobody else has, beside a file; it goes with all that is in it.
class FolderBeside {
public:
  explicit FolderBeside(const fs::path& file) : path_(file.string() + ".part.XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr)
      throw run_error("cannot make a folder beside '{}': {}", file.string(), std::strerror(errno));
  }
  ~FolderBeside() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  FolderBeside(const FolderBeside&) = delete;
  FolderBeside& operator=(const FolderBeside&) = delete;

  fs::path of(const fs::path& file) const { return path_ / file.filename(); }

private:
  std::string path_;
};

/// Files that are written in full, and come to their places when all else is written.
class FilesBeside {
public:
  FilesBeside(const fs::path& model, const Files& files) : files_(files) {
    for (const auto& [file, text] : files) require_writable_file(file);
    if (!files.empty()) waiting_.emplace(model);
    for (const auto& [file, text] : files) write_file(waiting_->of(file), text);
  }

  void place() const {
    std::error_code failed;
    for (const auto& [file, text] : files_)
      if (fs::rename(waiting_->of(file), file, failed); failed)
        throw run_error("cannot write '{}': {}", file.string(), failed.message())
            .hint("the model is written, but this file does not belong to it");
  }

private:
  const Files& files_;
  std::optional<FolderBeside> waiting_;
};

}  // namespace

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(
      graph.nodes(), [](const Node& node) { return node.op == "FakeQuantize" || node.op == "ConvBatchNormalization"; });
}

fs::path encodings_file(const fs::path& model, const std::string& form) {
  return model.parent_path() / (model.stem().string() + quant::encodings_writers().make(form)->suffix());
}

ExportedFile export_model(const Graph& graph, const schedule::ExportConfig& config, const fs::path& path) {
  io::ExportOptions options{.external_data = config.external_data};
  if (config.opset) options.opset = static_cast<int>(*config.opset);
  const auto& format = quant::export_format(config.format);
  require_form(format, is_quantized(graph), !config.encodings.empty());
  auto deployed = graph.clone();
  passes::run(*passes::passes().make("remove_identity"), "remove_identity", deployed);
  Files beside;
  if (format.lower != nullptr) {
    quant::finish(deployed);
    if (format.integers) quant::guard_overflow_aloud(deployed, config.overflow_guard);
    const auto finished = std::move(deployed);
    deployed = lowered(finished, format, options.opset);
    beside = encodings_of(config.encodings, finished, deployed, path);
  }
  const FilesBeside encodings(path, beside);
  io::export_onnx(deployed, path, options);
  encodings.place();
  const auto data = io::external_data_of(path);
  const auto tensors = config.external_data && fs::exists(data) ? fs::file_size(data) : 0;
  ExportedFile written{.bytes = static_cast<int64_t>(fs::file_size(path) + tensors),
                       .opset = options.opset.value_or(io::usual_opset(deployed))};
  for (const auto& [file, text] : beside) written.encodings.push_back(file);
  return written;
}

}  // namespace compress::run
