#include "ops/quantization_grid.h"
#include "quant/quantizer.h"

/// ONNX's "QDQ" form: every quantiser becomes QuantizeLinear + DequantizeLinear, every quantised constant an integer
/// tensor + DequantizeLinear. Up to 8 bits are carried by int8 or uint8 (opsets below 21 have nothing smaller); what a
/// narrower grid cannot hold is cut off by a Clip before the QuantizeLinear, so that the codes are the same.
namespace compress::quant {
namespace {

class Lowering {
public:
  explicit Lowering(Graph& graph) : graph_(graph) {}

  void run() {
    std::vector<Node*> quantizers;
    for (auto& node : graph_.nodes())
      if (node.op == "FakeQuantize") quantizers.push_back(&node);
    for (auto* node : quantizers) {
      const auto spec = ops::grid_spec(*node);
      if (graph_.find_parameter(node->inputs[0]) != nullptr)
        lower_constant(*node, spec);
      else
        lower_value(*node, spec);
    }
    graph_.erase_unused_parameters();
    graph_.touch();
  }

private:
  at::ScalarType carrier(const Node& node, const ops::GridSpec& spec) const {
    if (spec.bits <= 8) return spec.is_signed ? at::kChar : at::kByte;
    const bool constant = graph_.find_parameter(node.inputs[0]) != nullptr;
    if (spec.bits == 32 && constant) return at::kInt;
    throw request_error("'{}' has {} bits; QDQ files carry at most 8", node.name, spec.bits)
        .hint("quantise to 8 bits or fewer, or leave it in floating point (bits: null)");
  }

  const at::Tensor& value(const std::string& name) const { return graph_.parameter(name).value; }

  at::Tensor integers(const Node& node, const ops::GridSpec& spec) const {
    const ops::Grid grid{value(node.inputs[1]), value(node.inputs[2]).to(at::kFloat)};
    const auto codes = ops::quantized(value(node.inputs[0]), grid, spec, node.attributes.integer("axis", -1));
    // Floating point rounds 2^31 - 1 up to what 32 bits cannot hold.
    return spec.bits == 32 ? codes.to(at::kDouble).clamp(-2147483647.0, 2147483647.0) : codes;
  }

  /// Several quantisers may share the parameter; the first one converts it.
  void convert_zero_point(const std::string& name, at::ScalarType type) {
    if (value(name).scalar_type() != type) graph_.assign(name, value(name).to(type));
  }

  void lower_constant(Node& node, const ops::GridSpec& spec) {
    const auto type = carrier(node, spec);
    const auto source = node.inputs[0];
    const auto codes = integers(node, spec).to(type);
    if (graph_.consumers(source).size() > 1) {
      node.inputs[0] =
          graph_.add_parameter({.name = graph_.unique_name(source + ".codes"), .value = codes, .trainable = false})
              .name;
    } else {
      auto& parameter = graph_.parameter(source);
      parameter.trainable = false;
      parameter.mask = at::Tensor();
      graph_.assign(source, codes);
    }
    if (type == at::kInt)
      node.inputs.resize(2);  // ONNX: 32-bit integers have no zero point
    else
      convert_zero_point(node.inputs[2], type);
    become_dequantizer(node);
  }

  void lower_value(Node& node, const ops::GridSpec& spec) {
    const auto type = carrier(node, spec);
    const ops::GridSpec full{.bits = 8, .is_signed = spec.is_signed};
    auto source = node.inputs[0];
    if (spec.low() != full.low() || spec.high() != full.high()) source = clip(node, spec);
    convert_zero_point(node.inputs[2], type);
    Node quantize{.name = graph_.unique_name(node.name + ".quantize"), .op = "QuantizeLinear"};
    quantize.inputs = {source, node.inputs[1], node.inputs[2]};
    node.inputs[0] = graph_.insert_before(node, std::move(quantize)).name;
    become_dequantizer(node);
  }

  /// Limits a value to what its grid can hold.
  std::string clip(const Node& node, const ops::GridSpec& spec) {
    const auto scale = value(node.inputs[1]).item<float>();
    const auto zero_point = value(node.inputs[2]).item<double>();
    Node clip{.name = graph_.unique_name(node.name + ".clip"), .op = "Clip", .inputs = {node.inputs[0]}};
    clip.attributes.set("min", static_cast<double>(scale * static_cast<float>(spec.low() - zero_point)));
    clip.attributes.set("max", static_cast<double>(scale * static_cast<float>(spec.high() - zero_point)));
    return graph_.insert_before(node, std::move(clip)).name;
  }

  void become_dequantizer(Node& node) {
    const auto axis = node.attributes.integer("axis", -1);
    node.op = "DequantizeLinear";
    node.attributes = {};
    if (axis >= 0) node.attributes.set("axis", axis);
  }

  Graph& graph_;
};

}  // namespace

Graph lower_to_qdq(const Graph& graph) {
  auto lowered = graph.clone();
  finish(lowered);
  Lowering(lowered).run();
  return lowered;
}

}  // namespace compress::quant
