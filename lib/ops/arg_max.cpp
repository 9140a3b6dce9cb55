#include "ops/pointwise_op.h"

namespace compress::ops {

namespace {

int64_t searched_axis(const Node& node, int64_t rank) {
  return axis_of(node.attributes.integer("axis", 0), rank);
}

bool keeps_searched_axis(const Node& node) {
  return node.attributes.integer("keepdims", 1) != 0;
}

/// LibTorch finds the first of equal ones; the last is the first from behind.
template <auto search>
Kernel arg_kernel(const Node& node) {
  return [node, last = node.attributes.integer("select_last_index", 0) != 0](Call& call) {
    const auto x = computable(call.in(0));
    const auto axis = searched_axis(node, x.dim());
    const auto found = search(last ? x.flip({axis}) : x, axis, keeps_searched_axis(node));
    call.out() = last ? found.neg().add(x.size(axis) - 1) : found;
  };
}

std::vector<ValueInfo> arg_infer(const InferCall& call) {
  auto shape = call.shape(0);
  const auto axis = searched_axis(call.node, std::ssize(shape));
  if (shape[static_cast<size_t>(axis)] == 0) throw request_error("axis {} has no elements to search", axis);
  if (keeps_searched_axis(call.node))
    shape[static_cast<size_t>(axis)] = 1;
  else
    shape.erase(shape.begin() + axis);
  return {{.shape = shape, .type = at::kLong}};
}

void arg_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto axis = searched_axis(flow.node(), std::ssize(flow.shape(0)));
  flow.block(flow.axis(0, axis), "channels are reduced to the index of one");
  auto map = flow.map(0);
  if (keeps_searched_axis(flow.node()))
    map[static_cast<size_t>(axis)].clear();
  else
    map.erase(map.begin() + axis);
  flow.set_output(std::move(map));
}

Op arg_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&)) {
  using enum AttributeSpec::Type;
  return {.name = name,
          .doc = doc,
          .attributes = {{"axis", integer}, {"keepdims", integer}, {"select_last_index", integer}},
          .kernel = kernel,
          .gradient = Gradient::none,
          .infer = arg_infer,
          .macs = no_macs,
          .channels = arg_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

}  // namespace

namespace families {
extern const OpFamily arg_max{
    {arg_op("ArgMax",
            "index of the maximum along an axis",
            arg_kernel<[](const at::Tensor& x, int64_t axis, bool keep) { return x.argmax(axis, keep); }>),
     arg_op("ArgMin",
            "index of the minimum along an axis",
            arg_kernel<[](const at::Tensor& x, int64_t axis, bool keep) { return x.argmin(axis, keep); }>)}};
}

}  // namespace compress::ops
