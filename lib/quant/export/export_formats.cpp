#include "quant/export/export_formats.h"

#include "core/error.h"
#include "core/text.h"
#include "quant/export/lowering.h"

#include <algorithm>

namespace compress::quant {
namespace {

constexpr ExportFormat kFormats[] = {
    {"onnx", "floating point, of a network without quantisers", false, nullptr},
    {"onnx-qdq", "integers, with QuantizeLinear and DequantizeLinear around the operators", true, lower_to_qdq},
    {"onnx-qoperator", "integer operators (QLinearConv, QLinearMatMul, ...) where ONNX has them", true,
     lower_to_qoperator},
    {"onnx-float", "a quantised network in floating point, weights on their grid; ranges by `encodings`", false,
     [](const Graph& graph, int) { return lower_to_float(graph); }},
};

}  // namespace

std::span<const ExportFormat> export_formats() {
  return kFormats;
}

const ExportFormat& export_format(std::string_view name) {
  if (const auto found = std::ranges::find(kFormats, name, &ExportFormat::name); found != std::end(kFormats))
    return *found;
  std::vector<std::string> names;
  for (const auto& format : kFormats) names.emplace_back(format.name);
  throw request_error("unknown export format '{}'", name).hint(did_you_mean(name, names)).hint(join(names, ", "));
}

std::string export_format_help() {
  std::vector<std::string> lines;
  for (const auto& format : kFormats) lines.push_back(fmt::format("{}: {}", format.name, format.doc));
  return join(lines, "; ");
}

}  // namespace compress::quant
