#include "run/export.h"

#include "core/file.h"
#include "io/onnx.h"
#include "passes/pass.h"
#include "quant/encodings/encodings.h"
#include "quant/export/export_formats.h"
#include "quant/export/overflow_guard.h"
#include "quant/quantizer.h"

#include <algorithm>

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

/// All texts are made before the first file is written.
std::vector<std::pair<fs::path, std::string>> encodings_of(const std::vector<std::string>& names,
                                                           const Graph& finished,
                                                           const Graph& deployed,
                                                           const fs::path& path) {
  std::vector<std::pair<fs::path, std::string>> files;
  if (names.empty()) return files;
  const auto model = quant::encoded_model(finished, deployed);
  for (const auto& name : names) {
    const auto writer = quant::encodings_writers().make(name);
    files.emplace_back(path.parent_path() / (path.stem().string() + writer->suffix()), writer->text(model));
  }
  return files;
}

/// Files that come to their place when all else is written; without that, none of them is left.
class FilesBeside {
public:
  explicit FilesBeside(const std::vector<std::pair<fs::path, std::string>>& files) {
    try {
      for (const auto& [file, text] : files) {
        if (std::error_code none; fs::is_directory(file, none))
          throw run_error("'{}' is a folder, and a file of encodings shall be there", file.string());
        waiting_.push_back(file);
        write_file(waiting(file), text);
      }
    } catch (...) {
      drop();
      throw;
    }
  }
  ~FilesBeside() { drop(); }
  FilesBeside(const FilesBeside&) = delete;
  FilesBeside& operator=(const FilesBeside&) = delete;

  void place() {
    for (const auto& file : waiting_) fs::rename(waiting(file), file);
    waiting_.clear();
  }

private:
  static fs::path waiting(const fs::path& file) { return file.string() + ".new"; }
  void drop() {
    std::error_code ignored;
    for (const auto& file : waiting_) fs::remove(waiting(file), ignored);
  }

  std::vector<fs::path> waiting_;
};

}  // namespace

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(
      graph.nodes(), [](const Node& node) { return node.op == "FakeQuantize" || node.op == "ConvBatchNormalization"; });
}

ExportedFile export_model(const Graph& graph, const schedule::ExportConfig& config, const fs::path& path) {
  io::ExportOptions options{.external_data = config.external_data};
  if (config.opset) options.opset = static_cast<int>(*config.opset);
  const auto& format = quant::export_format(config.format);
  require_form(format, is_quantized(graph), !config.encodings.empty());
  auto deployed = graph.clone();
  passes::run(*passes::passes().make("remove_identity"), "remove_identity", deployed);
  std::vector<std::pair<fs::path, std::string>> beside;
  if (format.lower != nullptr) {
    quant::finish(deployed);
    if (format.integers) quant::guard_overflow_aloud(deployed, config.overflow_guard);
    const auto finished = std::move(deployed);
    deployed = lowered(finished, format, options.opset);
    beside = encodings_of(config.encodings, finished, deployed, path);
  }
  FilesBeside encodings(beside);
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
