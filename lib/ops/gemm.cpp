#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/linear.h>

/// The linear layer. Canonical form after import: weight [out, in] (transB = 1), bias [out], no other attribute.
namespace compress::ops {

namespace {

bool weight_is_transposed(const Node& node) {
  return node.attributes.integer("transB", 0) != 0;
}

Kernel gemm_kernel(const Node& node) {
  return [transpose_a = node.attributes.integer("transA", 0) != 0, transpose_b = weight_is_transposed(node),
          alpha = node.attributes.number("alpha", 1), beta = node.attributes.number("beta", 1)](Call& call) {
    const auto x = transpose_a ? call.in(0).t() : call.in(0);
    const auto weight = transpose_b ? call.in(1) : call.in(1).t();
    const bool plain_bias = call.has(2) && call.in(2).dim() == 1 && beta == 1 && alpha == 1;
    auto y = at::linear(x, weight, plain_bias ? std::optional(call.in(2)) : std::nullopt);
    if (alpha != 1) y = y.mul(alpha);
    if (call.has(2) && !plain_bias) y = y.add(call.in(2), beta);
    call.out() = y;
  };
}

std::vector<ValueInfo> gemm_infer(const InferCall& call) {
  auto x = call.shape(0), weight = call.shape(1);
  if (x.size() != 2 || weight.size() != 2)
    throw request_error("shapes {} and {} cannot be multiplied: both need two axes", shape_text(x), shape_text(weight));
  if (call.node.attributes.integer("transA", 0) != 0) std::swap(x[0], x[1]);
  if (weight_is_transposed(call.node)) std::swap(weight[0], weight[1]);
  if (x[1] != weight[0])
    throw request_error("the input has {} features, but the weight of shape {} takes {}", x[1],
                        shape_text(call.shape(1)), weight[0]);
  const Shape result{x[0], weight[1]};
  if (call.has(2) && broadcast(result, call.shape(2)) != result)
    throw request_error("the bias has shape {}, but there are {} outputs", shape_text(call.shape(2)), result[1]);
  return {{.shape = result, .type = call.in(0).type}};
}

int64_t gemm_macs(const Node& node, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * inputs[1].shape[weight_is_transposed(node) ? 1 : 0];
}

int gemm_weight_axis(const Node& node) {
  return weight_is_transposed(node) ? 0 : 1;
}

void gemm_channels(ChannelFlow& flow) {
  if (flow.node().attributes.integer("transA", 0) != 0) {
    flow.block_inputs("its input is transposed");
    return;
  }
  const auto out_axis = gemm_weight_axis(flow.node());
  flow.block(flow.axis(0, 0), "rows carry channels");
  flow.bind(1, 1 - out_axis, flow.axis(0, 1));
  const auto outputs = flow.own_axis(1, out_axis);
  if (flow.has(2) && !flow.shape(2).empty()) {
    const auto last = std::ssize(flow.shape(2)) - 1;
    if (flow.shape(2).back() == std::ssize(outputs)) flow.bind(2, last, outputs);
  }
  flow.set_output({{}, outputs});
}

/// The parameter for writing; a copy of its own when other nodes read it too. Null when the input is no parameter.
const Parameter* own_parameter(Graph& graph, Node& node, size_t input) {
  if (!node.has_input(input)) return nullptr;
  const auto* parameter = graph.find_parameter(node.inputs[input]);
  if (!parameter || graph.consumers(parameter->name).size() == 1) return parameter;
  const auto& copy = graph.add_parameter({.name = graph.unique_name(parameter->name + "." + node.name),
                                          .value = parameter->value.clone(),
                                          .trainable = parameter->trainable});
  node.inputs[input] = copy.name;
  return &copy;
}

void normalize_bias(Graph& graph, Node& node, int64_t outputs) {
  const auto beta = node.attributes.number("beta", 1);
  const auto* given = node.has_input(2) ? graph.find_parameter(node.inputs[2]) : nullptr;
  if (!given || (beta == 1 && given->value.sizes() == at::IntArrayRef{outputs})) return;
  if (given->value.dim() == 2 && given->value.size(0) != 1) return;  // one bias per row: stays as it is
  const auto* bias = own_parameter(graph, node, 2);
  graph.assign(bias->name, bias->value.mul(beta).flatten().expand({outputs}).contiguous());
  node.attributes.erase("beta");
}

void normalize_gemm(Graph& graph, Node& node) {
  const auto alpha = node.attributes.number("alpha", 1);
  const auto* given = graph.find_parameter(node.inputs[1]);
  if (!given) return;
  if (alpha != 1 || !weight_is_transposed(node)) {
    const auto* weight = own_parameter(graph, node, 1);
    auto value = weight_is_transposed(node) ? weight->value : weight->value.t();
    if (alpha != 1) value = value.mul(alpha);
    graph.assign(weight->name, value.contiguous());
    node.attributes.set("transB", int64_t{1});
    given = graph.find_parameter(node.inputs[1]);
  }
  node.attributes.erase("alpha");
  if (node.attributes.integer("transA", 0) == 0) node.attributes.erase("transA");
  normalize_bias(graph, node, given->value.size(0));
  if (!node.has_input(2) || node.attributes.number("beta", 1) == 1) node.attributes.erase("beta");
}

}  // namespace

namespace families {
extern const OpFamily gemm{{{.name = "Gemm",
                             .doc = "linear layer: x times the transposed weight plus bias",
                             .min_inputs = 2,
                             .max_inputs = 3,
                             .since_opset = 7,
                             .attributes = {{"alpha", AttributeSpec::Type::number},
                                            {"beta", AttributeSpec::Type::number},
                                            {"transA", AttributeSpec::Type::integer},
                                            {"transB", AttributeSpec::Type::integer}},
                             .kernel = gemm_kernel,
                             .gradient = Gradient::yes,
                             .infer = gemm_infer,
                             .macs = gemm_macs,
                             .channels = gemm_channels,
                             .resize = keep_attributes,
                             .quantization = Quantization::weighted,
                             .weight_input = 1,
                             .bias_input = 2,
                             .weight_axis = gemm_weight_axis,
                             .normalize = normalize_gemm}}};
}

}  // namespace compress::ops
