#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool3d.h>

#include <algorithm>
#include <limits>

namespace compress::ops {

namespace {

Shape pooled_space(const Shape& shape) {
  return {shape.begin() + 2, shape.end()};
}

/// LibTorch takes pads that are the same in front and behind, and at most half the kernel.
bool torch_takes(const Window& window) {
  for (size_t i = 0; i < window.kernel.size(); ++i)
    if (window.begin[i] < 0 || 2 * window.begin[i] > window.kernel[i]) return false;
  return window.symmetric();
}

at::Tensor max_pool(const at::Tensor& x, const Window& w, const Shape& pads, bool ceil) {
  switch (w.kernel.size()) {
  case 1: return at::max_pool1d(x, w.kernel, w.strides, pads, w.dilations, ceil);
  case 2: return at::max_pool2d(x, w.kernel, w.strides, pads, w.dilations, ceil);
  default: return at::max_pool3d(x, w.kernel, w.strides, pads, w.dilations, ceil);
  }
}

at::Tensor average_pool(const at::Tensor& x, const Window& w, const Shape& pads, bool ceil, bool count_pads) {
  switch (w.kernel.size()) {
  case 1: return at::avg_pool1d(x, w.kernel, w.strides, pads, ceil, count_pads);
  case 2: return at::avg_pool2d(x, w.kernel, w.strides, pads, ceil, count_pads);
  default: return at::avg_pool3d(x, w.kernel, w.strides, pads, ceil, count_pads);
  }
}

/// Pads by `begin` in front and behind such that the window, without ceil, fits exactly `outputs` times.
at::Tensor padded_to_fit(const at::Tensor& x, const Window& w, const Shape& begin, const Shape& outputs, double value) {
  Shape end;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto needed = (outputs[i] - 1) * w.strides[i] + w.dilations[i] * (w.kernel[i] - 1) + 1;
    end.push_back(needed - x.size(static_cast<int64_t>(i) + 2) - begin[i]);
  }
  return at::constant_pad_nd(x, torch_pads(begin, end), value);
}

/// The largest value of windows that LibTorch's pads cannot express.
at::Tensor padded_max_pool(const at::Tensor& x, const Window& window) {
  const auto outputs = window_output(window, pooled_space(shape_of(x)));
  const auto padded = padded_to_fit(x, window, window.begin, outputs, -std::numeric_limits<double>::infinity());
  return max_pool(padded, window, Shape(outputs.size(), 0), false);
}

/// The mean of such windows: averages of padded values, divided by the share of the window that counts.
at::Tensor padded_average_pool(const at::Tensor& x, const Window& window, bool count_pads) {
  const auto outputs = window_output(window, pooled_space(shape_of(x)));
  const Shape none(outputs.size(), 0);
  Shape one_map = shape_of(x);
  one_map[0] = one_map[1] = 1;
  auto counted = x.new_ones(one_map);
  if (count_pads) counted = at::constant_pad_nd(counted, torch_pads(window.begin, window.end), 1);
  const auto average = [&](const at::Tensor& values, const Shape& begin) {
    return average_pool(padded_to_fit(values, window, begin, outputs, 0), window, none, false, true);
  };
  return average(x, window.begin).div(average(counted, count_pads ? none : window.begin));
}

Kernel max_pool_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto window = window_of(node, {}, pooled_space(shape_of(x)));
    call.out() = torch_takes(window) ? max_pool(x, window, window.begin, window.ceil) : padded_max_pool(x, window);
  };
}

Kernel average_pool_kernel(const Node& node) {
  return [node, count_pads = node.attributes.integer("count_include_pad", 0) != 0](Call& call) {
    const auto& x = call.in(0);
    const auto window = window_of(node, {}, pooled_space(shape_of(x)));
    call.out() = torch_takes(window) ? average_pool(x, window, window.begin, window.ceil, count_pads)
                                     : padded_average_pool(x, window, count_pads);
  };
}

Shape spatial_positions(int64_t rank) {
  Shape axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

Kernel global_average_pool_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).mean(spatial_positions(call.in(0).dim()), /*keepdim=*/true); };
}

std::vector<ValueInfo> pool_infer(const InferCall& call) {
  const auto& x = call.shape(0);
  if (x.size() < 3 || x.size() > 5)
    throw request_error("a value of shape {} cannot be pooled: it needs 3, 4 or 5 axes", shape_text(x));
  const auto space = pooled_space(x);
  const auto window = window_of(call.node, {}, space);
  if (call.node.op == "AveragePool" && std::ranges::any_of(window.dilations, [](int64_t size) { return size != 1; }))
    throw request_error("an average over a dilated window is not supported").hint("dilations must be 1");
  Shape shape{x[0], x[1]};
  for (const auto size : window_output(window, space)) shape.push_back(size);
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

std::vector<ValueInfo> global_pool_infer(const InferCall& call) {
  require_rank(call, 0, 3);
  auto result = call.in(0);
  std::fill(result.shape.begin() + 2, result.shape.end(), 1);
  return {result};
}

void pool_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  ChannelMap map(flow.output_shape().size());
  map[0] = flow.axis(0, 0);
  map[1] = flow.axis(0, 1);
  for (size_t axis = 2; axis < map.size(); ++axis) flow.block(flow.map(0)[axis], "a spatial axis carries channels");
  flow.set_output(std::move(map));
}

Op pool_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Quantization quantization) {
  return {.name = name,
          .doc = doc,
          .attributes = with_attributes(window_attributes(), {{"ceil_mode", AttributeSpec::Type::integer}}),
          .kernel = kernel,
          .gradient = Gradient::yes,
          .infer = pool_infer,
          .macs = no_macs,
          .channels = pool_channels,
          .resize = keep_attributes,
          .quantization = quantization,
          .normalize = make_pads_explicit};
}

Op max_pool_op() {
  auto op = pool_op("MaxPool", "largest value of each window", max_pool_kernel, Quantization::same_grid);
  op.attributes.push_back({"storage_order", AttributeSpec::Type::integer});  // orders the second output, which we lack
  return op;
}

Op average_pool_op() {
  auto op = pool_op("AveragePool", "mean of each window", average_pool_kernel, Quantization::arithmetic);
  op.since_opset = 7;
  op.attributes.push_back({"count_include_pad", AttributeSpec::Type::integer});
  return op;
}

Op global_average_pool_op() {
  auto op =
      pool_op("GlobalAveragePool", "mean over all spatial axes", global_average_pool_kernel, Quantization::arithmetic);
  op.attributes = {};
  op.infer = global_pool_infer;
  op.normalize = nullptr;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily pool{{max_pool_op(), average_pool_op(), global_average_pool_op()}};
}

}  // namespace compress::ops
