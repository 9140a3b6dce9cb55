#include "ops/attributes.h"
#include "ops/floating_grid.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "ops/weight_groups.h"
#include "quant/export/accumulators.h"
#include "quant/export/lowering.h"
#include "quant/quantizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>

#include <set>

namespace compress::quant {
namespace {

constexpr int kFourBitsOpset = 21;

/// What holds the integers of a grid in a file.
struct Carrier {
  at::ScalarType type;
  bool four_bits = false;  ///< of the type, only 4 bits are used

  ops::GridSpec limits() const {
    const int bits = four_bits ? 4 : static_cast<int>(8 * c10::elementSize(type));
    return {.bits = bits, .is_signed = type == at::kChar || type == at::kShort || type == at::kInt};
  }
};

class QdqLowering {
public:
  QdqLowering(Graph& graph, int opset) : graph_(graph), opset_(opset), infos_(ops::infer(graph, 2)) {}

  void run() {
    std::vector<Node*> quantizers;
    for (auto& node : graph_.nodes())
      if (node.op == "FakeQuantize") quantizers.push_back(&node);
    std::set<const Node*> accumulators;
    for (const auto* node : quantizers)
      if (is_accumulator(*node)) accumulators.insert(node);
    for (const auto& node : graph_.nodes())
      if (const auto* bias = bias_on_sums(graph_, node)) sum_biases_.insert(bias);
    for (auto* node : quantizers) {
      if (accumulators.contains(node))
        become_limits(*node);
      else if (graph_.find_parameter(node->inputs[0]) != nullptr)
        lower_constant(*node);
      else
        lower_value(*node);
    }
    graph_.erase_unused_parameters();
    graph_.touch();
  }

private:
  static ops::GridSpec spec_of(const Node& node) {
    const auto spec = ops::grid_spec(node);
    if (spec.format == ops::GridFormat::gfpq)
      throw request_error("'{}' is on the grid 'gfpq', which ONNX has no operators for", node.name)
          .hint("export with the format onnx-float and `encodings: [nnie]`: the marks then stand in a file beside the "
                "model");
    return spec;
  }

  static Carrier carrier(const ops::GridSpec& spec) {
    if (spec.bits > 16) return {at::kInt};
    if (spec.bits > 8) return {spec.is_signed ? at::kShort : at::kUInt16};
    return {spec.is_signed ? at::kChar : at::kByte};
  }

  /// Runtimes take 32-bit integers for biases on the grid of the sums, without a look at their scale: nothing else may
  /// have them. Parts of bytes are for constants alone: values, and what shares their grid, meet kernels for bytes.
  Carrier carrier_of_constant(const Node& node, const ops::GridSpec& spec) const {
    if (sum_biases_.contains(&node)) return {at::kInt};
    auto held = carrier(spec);
    // A weight with groups makes it such a file anyway.
    const bool has_them = opset_ >= kFourBitsOpset || ops::grid_axes(node).group_size > 0;
    held.four_bits = has_them && spec.bits <= 4 && graph_.consumers(node.inputs[2]).size() == 1;
    return held;
  }

  const at::Tensor& value(const std::string& name) const { return graph_.parameter(name).value; }

  ops::Grid grid(const Node& node) const { return {value(node.inputs[1]), value(node.inputs[2]).to(at::kFloat)}; }

  at::Tensor integers(const Node& node, const ops::GridSpec& spec) const {
    const auto codes = ops::quantized(value(node.inputs[0]), grid(node), spec, ops::grid_axes(node));
    // Floating point rounds 2^31 - 1 up to what 32 bits cannot hold.
    if (spec.bits <= 16) return codes;
    return codes.to(at::kDouble).clamp(static_cast<double>(spec.low()), static_cast<double>(spec.high()));
  }

  /// Several quantisers may share the parameter; the first one converts it.
  void convert_zero_point(const std::string& name, at::ScalarType type) {
    if (value(name).scalar_type() != type) graph_.assign(name, value(name).to(type));
  }

  /// What the quantiser reads becomes `codes`; a parameter of its own where others read the numbers.
  void exchange_constant(Node& node, const at::Tensor& codes) {
    const auto source = node.inputs[0];
    if (graph_.consumers(source).size() > 1) {
      node.inputs[0] =
          graph_.add_parameter({.name = graph_.unique_name(source + ".codes"), .value = codes, .trainable = false})
              .name;
      return;
    }
    auto& parameter = graph_.parameter(source);
    parameter.trainable = false;
    parameter.mask = at::Tensor();
    graph_.assign(source, codes);
  }

  void lower_constant(Node& node) {
    const auto spec = spec_of(node);
    if (!spec.is_integer()) return lower_floating_constant(node, spec);
    const auto held = carrier_of_constant(node, spec);
    const auto codes = integers(node, spec).to(held.type);
    exchange_constant(node, codes);
    share_scales(node);
    if (held.type == at::kInt)
      node.inputs.resize(2);  // ONNX: 32-bit integers have no zero point
    else
      convert_zero_point(node.inputs[2], held.type);
    become_dequantizer(node, held);
  }

  /// 8 bits with a scale, halves without.
  void lower_floating_constant(Node& node, const ops::GridSpec& spec) {
    const auto type = ops::float_format(spec.format).type;
    exchange_constant(node, ops::quantized(value(node.inputs[0]), grid(node), spec, ops::grid_axes(node)).to(type));
    if (spec.bits > 8) return become_cast(node, at::kFloat);
    share_scales(node);
    convert_zero_point(node.inputs[2], type);
    become_dequantizer(node, {type});
  }

  /// ONNX has the scales of groups in the shape of the weight.
  void share_scales(Node& node) {
    const auto axes = ops::grid_axes(node);
    const auto weight = value(node.inputs[0]);
    for (const size_t i : {1, 2})
      if (axes.group_size > 0)
        graph_.assign(node.inputs[i], ops::group_scales_of_onnx(value(node.inputs[i]), weight, axes));
  }

  void lower_value(Node& node) {
    if (node.attributes.text("method", "fixed") == "dynamic") return lower_dynamic(node);
    const auto spec = spec_of(node);
    if (!spec.is_integer()) return lower_floating_value(node, ops::float_format(spec.format));
    const auto held = carrier(spec);
    const auto full = held.limits();
    if (spec.low() != full.low() || spec.high() != full.high()) limit(node, spec);
    convert_zero_point(node.inputs[2], held.type);
    quantize_before(node, held);
    become_dequantizer(node, held);
  }

  void lower_floating_value(Node& node, const ops::FloatFormat& format) {
    if (c10::elementSize(format.type) == 1) {
      convert_zero_point(node.inputs[2], format.type);
      quantize_before(node, {format.type});
      return become_dequantizer(node, {format.type});
    }
    // Cast makes infinities of what is too large.
    const at::Tensor largest = at::scalar_tensor(format.largest, at::TensorOptions(at::kFloat));
    limit(node, -largest, largest);
    Node half{.name = graph_.unique_name(node.name + ".cast"), .op = "Cast", .inputs = {node.inputs[0]}};
    half.attributes.set("to", ops::onnx_element_type(format.type));
    node.inputs[0] = graph_.insert_before(node, std::move(half)).name;
    become_cast(node, at::kFloat);
  }

  /// A grid of its own for each call: ONNX has one form of it.
  void lower_dynamic(Node& node) {
    constexpr ops::GridSpec kForm{.bits = 8, .is_signed = false, .narrow = false, .symmetric = false};
    const bool whole = ops::grid_axes(node).axis < 0 && node.attributes.text("clip", "none") == "none";
    if (ops::grid_spec(node) != kForm || !whole)
      throw request_error("'{}' has a dynamic grid that ONNX has no operator for", node.name)
          .hint("DynamicQuantizeLinear has 8 unsigned bits with a zero point, and one grid for all samples of a call");
    Node quantize{.name = graph_.unique_name(node.name + ".quantize"), .op = "DynamicQuantizeLinear", .outputs = 3};
    quantize.inputs = {node.inputs[0]};
    const auto& made = graph_.insert_before(node, std::move(quantize));
    node.inputs = {made.output(0), made.output(1), made.output(2)};
    become_dequantizer(node, {at::kByte});
  }

  void quantize_before(Node& node, const Carrier& held) {
    Node quantize{.name = graph_.unique_name(node.name + ".quantize"), .op = "QuantizeLinear"};
    quantize.inputs = {node.inputs[0], node.inputs[1], node.inputs[2]};
    set_layout(quantize, node, held);
    node.inputs[0] = graph_.insert_before(node, std::move(quantize)).name;
  }

  static void set_layout(Node& node, const Node& quantizer, const Carrier& held) {
    const auto axes = ops::grid_axes(quantizer);
    const bool groups = axes.group_size > 0;
    node.attributes = {};
    if (groups) node.attributes.set("block_size", axes.group_size);
    if (axes.axis >= 0) node.attributes.set("axis", groups ? axes.input_axis : axes.axis);
    if (held.four_bits) node.attributes.set("bits", int64_t{4});
  }

  void become_dequantizer(Node& node, const Carrier& held) {
    const Node quantizer = node;
    set_layout(node, quantizer, held);
    node.op = "DequantizeLinear";
  }

  static void become_cast(Node& node, at::ScalarType type) {
    node.op = "Cast";
    node.attributes = {};
    node.attributes.set("to", ops::onnx_element_type(type));
    node.inputs.resize(1);
  }

  /// The ends of a grid as real numbers, in the shape that goes with the value.
  std::pair<at::Tensor, at::Tensor> ends(const Node& node, const ops::GridSpec& spec) const {
    const auto real = [&](int64_t integer) {
      const auto ends = value(node.inputs[1]).mul(value(node.inputs[2]).to(at::kFloat).neg().add(integer));
      const auto axes = ops::grid_axes(node);
      return axes.axis < 0 ? ends.reshape({}) : ops::along_axis(ends, axes.axis, std::ssize(shape(node)));
    };
    return {real(spec.low()), real(spec.high())};
  }

  const Shape& shape(const Node& node) const { return infos_.at(node.name).shape; }

  /// Limits a value to what its grid can hold.
  void limit(Node& node, const ops::GridSpec& spec) {
    const auto [low, high] = ends(node, spec);
    limit(node, low, high);
  }

  void limit(Node& node, const at::Tensor& low, const at::Tensor& high) {
    if (low.numel() == 1) {
      Node clip{.name = graph_.unique_name(node.name + ".clip"), .op = "Clip", .inputs = {node.inputs[0]}};
      set_limits(clip, low, high);
      node.inputs[0] = graph_.insert_before(node, std::move(clip)).name;
      return;
    }
    for (const auto& [op, bound] : {std::pair("Max", low), std::pair("Min", high)})
      node.inputs[0] = graph_.insert_before(node, bounding(node, op, bound)).name;
  }

  static void set_limits(Node& clip, const at::Tensor& low, const at::Tensor& high) {
    clip.attributes.set("min", static_cast<double>(low.item<float>()));
    clip.attributes.set("max", static_cast<double>(high.item<float>()));
  }

  Node bounding(const Node& node, const std::string& op, const at::Tensor& bound) {
    const auto name = graph_.unique_name(node.name + (op == "Max" ? ".max" : ".min"));
    const auto& limit =
        graph_.add_parameter({.name = graph_.unique_name(name + ".limit"), .value = bound, .trainable = false}).name;
    return {.name = name, .op = op, .inputs = {node.inputs[0], limit}};
  }

  /// An accumulator: its values are integers times its scale already, it only saturates.
  void become_limits(Node& node) {
    const auto [low, high] = ends(node, ops::grid_spec(node));
    if (low.numel() > 1) {
      auto lower = bounding(node, "Max", low), upper = bounding(node, "Min", high);
      node.inputs = {graph_.insert_before(node, std::move(lower)).name, upper.inputs[1]};
      node.op = "Min";
      node.attributes = {};
      return;
    }
    node.op = "Clip";
    node.inputs.resize(1);
    node.attributes = {};
    set_limits(node, low, high);
  }

  Graph& graph_;
  const int opset_;
  const ops::Infos infos_;
  std::set<const Node*> sum_biases_;
};

}  // namespace

Graph lower_to_qdq(const Graph& graph, int opset) {
  auto lowered = graph.clone();
  finish(lowered);
  QdqLowering(lowered, opset).run();
  return lowered;
}

}  // namespace compress::quant
