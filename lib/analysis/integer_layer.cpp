#include "analysis/integer_layer.h"

#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "ops/quantization_role.h"

#include <ATen/TensorOperators.h>

#include <map>
#include <optional>

namespace compress::analysis {

namespace {

/// Integers with zero point taken off, of a constant.
struct Integers {
  at::Tensor values;
  at::Tensor scale;
  bool is_signed = true;
  const Node* quantizer = nullptr;
};

const at::Tensor* constant(const Graph& graph, const Node& node, size_t input) {
  const auto* parameter = node.has_input(input) ? graph.find_parameter(node.inputs[input]) : nullptr;
  return parameter ? &parameter->value : nullptr;
}

bool is_byte(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kChar || tensor.scalar_type() == at::kByte;
}

at::Tensor without_zero_point(const at::Tensor& values, const at::Tensor* zero_point, int64_t axis) {
  const auto wide = values.to(at::kLong);
  if (!zero_point) return wide;
  return wide - ops::along_axis(zero_point->to(at::kLong), zero_point->numel() == 1 ? -1 : axis, wide.dim());
}

std::optional<Integers> simulated(const Graph& graph, const Node& quantizer) {
  const auto spec = ops::grid_spec(quantizer);
  const auto *x = constant(graph, quantizer, 0), *scale = constant(graph, quantizer, 1),
             *zero_point = constant(graph, quantizer, 2);
  if (!x || !scale || !zero_point || !spec.is_integer()) return std::nullopt;
  const auto axes = ops::grid_axes(quantizer);
  const auto codes = ops::quantized(x->detach(), {*scale, *zero_point}, spec, axes).to(at::kDouble);
  const auto centred = codes - ops::along_axes(zero_point->to(at::kDouble), axes, codes);
  return Integers{centred.to(at::kLong), *scale, spec.is_signed, &quantizer};
}

std::optional<Integers> dequantized(const Graph& graph, const Node& node) {
  const auto *codes = constant(graph, node, 0), *scale = constant(graph, node, 1);
  if (!codes || !scale || node.attributes.integer("block_size", 0) != 0) return std::nullopt;
  return Integers{without_zero_point(*codes, constant(graph, node, 2), node.attributes.integer("axis", 1)), *scale,
                  codes->scalar_type() != at::kByte, &node};
}

/// What a FakeQuantize or DequantizeLinear makes of a constant.
std::optional<Integers> integers_behind(const Graph& graph, const std::string& value) {
  const auto* producer = graph.producer(value);
  if (!producer) return std::nullopt;
  if (producer->op == "FakeQuantize") return simulated(graph, *producer);
  if (producer->op == "DequantizeLinear") return dequantized(graph, *producer);
  return std::nullopt;
}

/// Bits of a quantiser's integers; a file carries fewer than 8 in a byte.
bool at_most_8_bits(const Integers& weights) {
  if (weights.quantizer->op == "FakeQuantize") return ops::grid_spec(*weights.quantizer).bits <= 8;
  return true;
}

/// The node that put a value on its grid, looking through what only moves numbers.
const Node* grid_of(const Graph& graph, std::string value) {
  for (;;) {
    const auto* producer = graph.producer(value);
    if (!producer || producer->op == "FakeQuantize" || producer->op == "DequantizeLinear") return producer;
    if (ops::quantization_role(*producer) != ops::Quantization::same_grid || producer->inputs.empty()) return nullptr;
    value = producer->inputs[0];
  }
}

int64_t largest_byte(at::ScalarType type) {
  return type == at::kByte || type == at::kChar ? 255 : 0;
}

/// 0 when the value is no byte. Signed bytes count from -128.
int64_t largest_input(const Graph& graph, const std::string& value) {
  const auto* grid = grid_of(graph, value);
  if (!grid) return 0;
  if (grid->op == "FakeQuantize") {
    const auto spec = ops::grid_spec(*grid);
    if (!spec.is_integer() || spec.bits > 8) return 0;
    return spec.high() + (spec.is_signed ? 128 : 0);
  }
  if (const auto* zero_point = constant(graph, *grid, 2)) return largest_byte(zero_point->scalar_type());
  return 255;  // ONNX: without zero point QuantizeLinear makes unsigned bytes
}

const at::Tensor* scale_of_input(const Graph& graph, const std::string& value) {
  const auto* grid = grid_of(graph, value);
  return grid ? constant(graph, *grid, 1) : nullptr;
}

bool is_depthwise(const Node& node, const Shape& weight) {
  const auto group = node.attributes.integer("group", 1);
  return group > 1 && weight.size() > 2 && weight[0] == group && weight[1] == 1;
}

/// The bias in steps of the sums.
at::Tensor bias_of(const Graph& graph, const Node& node, const Integers& weights) {
  const int input = ops::op_of(node).bias_input;
  if (input < 0 || !node.has_input(static_cast<size_t>(input))) return {};
  const auto place = static_cast<size_t>(input);
  if (const auto integers = integers_behind(graph, node.inputs[place])) return integers->values.flatten();
  const auto *bias = constant(graph, node, place), *scale = scale_of_input(graph, node.inputs[0]);
  if (!bias || !scale || weights.scale.dim() > 1) return {};
  return bias->to(at::kDouble)
      .flatten()
      .div(weights.scale.to(at::kDouble) * scale->to(at::kDouble))
      .round()
      .to(at::kLong);
}

at::Tensor by_output(const at::Tensor& weight, int64_t axis) {
  return weight.movedim(axis, 0).flatten(1);
}

/// The columns of a product's last matrix axis; the weight may be a stack of matrices.
int64_t output_axis(const Node& node, const at::Tensor& weight) {
  return node.op == "MatMul" ? weight.dim() - 1 : ops::op_of(node).weight_axis(node);
}

/// As the weight's quantiser asks for it, or as the finished network has it behind the layer.
int64_t accumulator_bits(const Graph& graph, const Node& node, const Node& weights) {
  for (const auto* reader : graph.consumers(node.output()))
    if (reader->op == "FakeQuantize" && reader->attributes.integer("accumulator", 0) != 0)
      return ops::grid_spec(*reader).bits;
  return weights.attributes.integer("accumulator_bits", 32);
}

std::optional<IntegerLayer> real_layer(const Graph& graph, const Node& node) {
  const auto& op = ops::op_of(node);
  if (op.quantization != ops::Quantization::weighted || op.weight_input < 0 ||
      !node.has_input(static_cast<size_t>(op.weight_input)))
    return std::nullopt;
  const auto weights = integers_behind(graph, node.inputs[static_cast<size_t>(op.weight_input)]);
  const auto input = largest_input(graph, node.inputs[0]);
  if (!weights || input == 0 || !at_most_8_bits(*weights) || weights->values.dim() < 2) return std::nullopt;
  const auto sizes = weights->values.sizes();
  return IntegerLayer{.node = &node,
                      .weight_quantizer = weights->quantizer,
                      .weights = by_output(weights->values, output_axis(node, weights->values)),
                      .signed_weights = weights->is_signed,
                      .largest_input = input,
                      .bias = bias_of(graph, node, *weights),
                      .depthwise = is_depthwise(node, {sizes.begin(), sizes.end()}),
                      .accumulator_bits = accumulator_bits(graph, node, *weights->quantizer)};
}

/// Where ONNX's integer operators have weight, its zero point and bias.
struct IntegerOperator {
  size_t weight, zero_point, bias;
  int64_t output_axis;
};

std::optional<IntegerLayer> integer_layer(const Graph& graph, const Node& node) {
  static const std::map<std::string, IntegerOperator, std::less<>> kOperators{{"QLinearConv", {3, 5, 8, 0}},
                                                                              {"ConvInteger", {1, 3, 99, 0}},
                                                                              {"QLinearMatMul", {3, 5, 99, 1}},
                                                                              {"MatMulInteger", {1, 3, 99, 1}}};
  const auto found = kOperators.find(node.op);
  if (found == kOperators.end()) return std::nullopt;
  const auto& places = found->second;
  const auto* weight = constant(graph, node, places.weight);
  if (!weight || !is_byte(*weight) || weight->dim() < 2) return std::nullopt;
  const auto axis = places.output_axis == 0 ? 0 : weight->dim() - 1;
  const auto values = without_zero_point(*weight, constant(graph, node, places.zero_point), axis);
  const auto* bias = constant(graph, node, places.bias);
  const auto sizes = weight->sizes();
  return IntegerLayer{.node = &node,
                      .weights = by_output(values, axis),
                      .signed_weights = weight->scalar_type() == at::kChar,
                      .bias = bias ? bias->to(at::kLong).flatten() : at::Tensor(),
                      .depthwise = is_depthwise(node, {sizes.begin(), sizes.end()})};
}

}  // namespace

std::vector<IntegerLayer> integer_layers(const Graph& graph) {
  std::vector<IntegerLayer> layers;
  for (const auto& node : graph.nodes()) {
    auto layer = real_layer(graph, node);
    if (!layer) layer = integer_layer(graph, node);
    if (layer && layer->weights.numel() > 0) layers.push_back(std::move(*layer));
  }
  return layers;
}

}  // namespace compress::analysis
