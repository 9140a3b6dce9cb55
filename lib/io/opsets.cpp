#include "io/opsets.h"

#include "core/error.h"
#include "io/onnx.h"
#include "ops/op.h"

#include <algorithm>

namespace compress::io {
namespace {

struct Younger {
  std::string_view op, attribute;
  int since_opset;
  std::string_view word = {};  ///< only this value is younger
};
constexpr Younger kYounger[] = {
    {"AveragePool", "dilations", 19},
    {"DequantizeLinear", "block_size", 21},
    {"DequantizeLinear", "output_dtype", 23},
    {"LpPool", "ceil_mode", 18},
    {"LpPool", "dilations", 18},
    {"Pad", "mode", 19, "wrap"},
    {"QuantizeLinear", "block_size", 21},
    {"QuantizeLinear", "output_dtype", 21},
    {"QuantizeLinear", "precision", 23},
    {"Reshape", "allowzero", 14},
    {"Resize", "antialias", 18},
    {"Resize", "axes", 18},
    {"Resize", "coordinate_transformation_mode", 19, "half_pixel_symmetric"},
    {"Resize", "keep_aspect_ratio_policy", 18},
    {"ScatterElements", "reduction", 16},
    {"ScatterND", "reduction", 16},
    {"SpaceToDepth", "mode", 28},
};

bool uses(const Node& node, const Younger& younger) {
  if (node.op != younger.op || !node.attributes.has(younger.attribute)) return false;
  return younger.word.empty() || node.attributes.text(younger.attribute, "") == younger.word;
}

/// ONNX's own operators; ours are lowered or refused elsewhere.
int operator_opset(const Node& node) {
  const auto& op = ops::op_of(node);
  return op.domain.empty() ? op.since_opset : 0;
}

/// The integers (or small floating-point numbers) that a quantiser reads or writes, as far as constants tell.
struct QuantizedType {
  std::string_view name;
  int since_opset = 1;
};
QuantizedType quantized_type(const Graph& graph, const Node& node) {
  if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear") return {};
  if (node.attributes.integer("bits", 8) == 4) return {"integers of 4 bits", 21};
  for (const size_t i : {2, 0}) {
    const auto* constant = node.has_input(i) ? graph.find_parameter(node.inputs[i]) : nullptr;
    if (constant == nullptr) continue;
    switch (constant->value.scalar_type()) {
    case at::kShort:
    case at::kUInt16: return {"integers of 16 bits", 21};
    case at::kFloat8_e4m3fn:
    case at::kFloat8_e5m2: return {"floating-point numbers of 8 bits", 19};
    default: break;
    }
  }
  return {};
}

}  // namespace

int usual_opset(const Graph& graph) {
  int opset = kUsualOpset;
  for (const Node& node : graph.nodes()) {
    opset = std::max({opset, operator_opset(node), quantized_type(graph, node).since_opset});
    for (const auto& younger : kYounger)
      if (uses(node, younger)) opset = std::max(opset, younger.since_opset);
  }
  return opset;
}

void check_operator_opset(const Node& node, int opset) {
  if (const int since = operator_opset(node); since > opset)
    throw request_error("{} exists in ONNX since opset {}, the file shall have opset {}", ops::describe(node), since,
                        opset)
        .hint(fmt::format("export with opset {} or later", since));
}

void check_type_opset(const Graph& graph, const Node& node, int opset) {
  if (const auto type = quantized_type(graph, node); type.since_opset > opset)
    throw request_error("{} works with {}, which ONNX has since opset {}; the file shall have opset {}",
                        ops::describe(node), type.name, type.since_opset, opset)
        .hint(fmt::format("export with opset {} or later", type.since_opset));
}

void check_attribute_opsets(const Node& node, int opset) {
  for (const auto& younger : kYounger)
    if (younger.since_opset > opset && uses(node, younger))
      throw request_error("{}: attribute '{}'{} exists in ONNX since opset {}, the file shall have opset {}",
                          ops::describe(node), younger.attribute,
                          younger.word.empty() ? "" : fmt::format(" = '{}'", younger.word), younger.since_opset, opset)
          .hint(fmt::format("export with opset {} or later", younger.since_opset));
}

}  // namespace compress::io
