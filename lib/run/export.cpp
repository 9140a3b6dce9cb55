#include "run/export.h"

#include "io/onnx.h"
#include "passes/pass.h"
#include "quant/quantizer.h"

#include <algorithm>

namespace compress::run {

bool is_quantized(const Graph& graph) {
  return std::ranges::any_of(
      graph.nodes(), [](const Node& node) { return node.op == "FakeQuantize" || node.op == "ConvBatchNormalization"; });
}

ExportedFile export_model(const Graph& graph, const schedule::ExportConfig& config, const std::filesystem::path& path) {
  io::ExportOptions options{.external_data = config.external_data};
  if (config.opset) options.opset = static_cast<int>(*config.opset);
  auto deployed = graph.clone();
  passes::run(*passes::passes().make("remove_identity"), "remove_identity", deployed);
  if (config.format == "onnx") {
    if (is_quantized(graph))
      throw request_error("the format 'onnx' is floating point, but the model is quantised")
          .hint("use the format 'onnx-qdq'");
  } else if (config.format == "onnx-qdq") {
    if (!is_quantized(graph))
      throw request_error("the format 'onnx-qdq' needs a quantised model, and this one has no quantisers")
          .hint("use the format 'onnx', or quantise first");
    quant::finish(deployed);
    deployed = quant::lower_to_qdq(deployed);
  } else {
    const std::vector<std::string> formats{"onnx", "onnx-qdq"};
    throw request_error("unknown export format '{}'", config.format)
        .hint(did_you_mean(config.format, formats))
        .hint("onnx or onnx-qdq");
  }
  io::export_onnx(deployed, path, options);
  const auto data = io::external_data_of(path);
  const auto beside = config.external_data && std::filesystem::exists(data) ? std::filesystem::file_size(data) : 0;
  return {.bytes = static_cast<int64_t>(std::filesystem::file_size(path) + beside),
          .opset = options.opset.value_or(io::usual_opset(deployed))};
}

}  // namespace compress::run
