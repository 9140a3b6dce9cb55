#include "passes/drop_batchnorm.h"

#include "analysis/weight.h"
#include "ops/op.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::passes {

namespace {

/// [outputs]: filters that are all zero under their mask.
at::Tensor zero_filters(const Parameter& weight, int64_t axis) {
  const at::Tensor value = weight.mask.defined() ? weight.value * weight.mask : weight.value;
  return value.detach().ne(0).transpose(0, axis).flatten(1).any(1).logical_not();
}

/// True when something other than zero was there.
bool clear(Graph& graph, const Node& node, size_t input, const at::Tensor& channels) {
  const Parameter* parameter = node.has_input(input) ? graph.find_parameter(node.inputs[input]) : nullptr;
  if (!parameter || parameter->value.numel() != channels.numel()) return false;
  const at::Tensor touched = parameter->value.detach().flatten().ne(0).logical_and(channels);
  if (touched.any().item<bool>())
    graph.writable(parameter->name).masked_fill_(channels.view(parameter->value.sizes()), 0);
  return touched.any().item<bool>();
}

bool is_depthwise(const Graph& graph, const Node& node) {
  const Parameter* weight = node.op == "Conv" ? graph.find_parameter(node.inputs[1]) : nullptr;
  return weight && weight->value.size(1) == 1 && weight->value.size(0) == node.attributes.integer("group", 1);
}

bool is_channelwise(const Node& node) {
  const auto& op = ops::op_of(node);
  return op.quantization == ops::Quantization::activation || op.quantization == ops::Quantization::quantizer ||
         node.op == "Dropout" || node.op == "Identity" || node.op == "BatchNormalization" || node.op == "LeakyRelu";
}

/// Clears what follows a value for some of its channels, until they meet others.
void follow(Graph& graph, const std::string& value, const at::Tensor& channels) {
  for (Node* reader : graph.consumers(value)) {
    const bool depthwise = is_depthwise(graph, *reader);
    if (reader->inputs[0] != value || (!depthwise && !is_channelwise(*reader))) continue;
    if (reader->op == "BatchNormalization") {
      clear(graph, *reader, 1, channels);
      clear(graph, *reader, 2, channels);
    }
    if (depthwise) clear(graph, *reader, 2, channels);
    follow(graph, reader->output(), channels);
  }
}

}  // namespace

int64_t drop_batchnorm_of_zero_filters(Graph& graph) {
  const at::NoGradGuard no_grad;
  int64_t count = 0;
  for (Node& node : graph.nodes()) {
    const ops::Op& op = ops::op_of(node);
    const Parameter* weight = analysis::weight_of(graph, node);
    if (!weight || !op.weight_axis || weight->value.dim() < 2) continue;
    const at::Tensor zero = zero_filters(*weight, op.weight_axis(node));
    if (!zero.any().item<bool>()) continue;
    count += zero.count_nonzero().item<int64_t>();
    if (op.bias_input >= 0) clear(graph, node, static_cast<size_t>(op.bias_input), zero);
    if (node.op == "ConvBatchNormalization") {
      clear(graph, node, 3, zero);
      clear(graph, node, 4, zero);
    }
    follow(graph, node.output(), zero);
  }
  return count;
}

}  // namespace compress::passes
