#include "exec/memory_format.h"

#include "exec/plan.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::exec {

namespace {

bool is_convolution(const Node& node) {
  return node.op == "Conv" || node.op == "ConvBatchNormalization";
}

/// The parameter that a convolution's weight comes from, behind any quantisers; null when it is no parameter.
const Parameter* weight_of(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 2) return nullptr;
  std::string_view name = node.inputs[1];
  while (const auto* producer = graph.producer(name)) {
    if (producer->inputs.empty()) return nullptr;
    name = producer->inputs[0];
  }
  return graph.find_parameter(name);
}

std::vector<int64_t> channels_last_strides(at::IntArrayRef sizes) {
  return {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
}

bool has_strides(const at::Tensor& tensor, at::IntArrayRef strides) {
  return tensor.strides() == strides;
}

}  // namespace

bool prefers_channels_last(const Graph& graph) {
  for (const Node& node : graph.nodes())
    if (is_convolution(node))
      if (const auto* weight = weight_of(graph, node); weight && weight->value.dim() == 4) return true;
  return false;
}

at::Tensor to_channels_last(const at::Tensor& image) {
  const auto strides = channels_last_strides(image.sizes());
  if (has_strides(image, strides)) return image;
  auto dense = image.contiguous(at::MemoryFormat::ChannelsLast);
  return has_strides(dense, strides) ? dense : dense.as_strided(image.sizes(), strides);
}

void prepare_parameters(Graph& graph, at::Device device) {
  const at::NoGradGuard no_grad;
  const bool channels_last = prefers_channels_last(graph);
  std::vector<std::string> convolution_weights;
  for (const Node& node : graph.nodes())
    if (channels_last && is_convolution(node))
      if (const auto* weight = weight_of(graph, node); weight && weight->value.dim() == 4)
        convolution_weights.push_back(weight->name);

  for (const auto& name : graph.parameter_names()) {
    auto& mask = graph.parameter(name).mask;
    if (mask.defined()) mask = mask.to(device);
    const auto& value = graph.parameter(name).value;
    const bool is_weight = std::ranges::find(convolution_weights, name) != convolution_weights.end();
    auto moved = value.to(device);
    auto prepared = is_weight ? to_channels_last(moved) : moved.contiguous();
    if (prepared.is_same(value)) continue;
    graph.assign(name, prepared.detach().requires_grad_(value.requires_grad()));
  }
}

}  // namespace compress::exec
