#include "ops/pool.h"

#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool3d.h>
#include <ATen/ops/max_pool3d_with_indices.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace compress::ops {

namespace {

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

/// A value that never wins.
double least_value(at::ScalarType type) {
  switch (type) {
  case at::kByte: return 0;
  case at::kChar: return std::numeric_limits<int8_t>::min();
  default: return -std::numeric_limits<double>::infinity();
  }
}

/// An input for which LibTorch's pooling finds the largest value of each window, with the pads that are left to it.
struct Poolable {
  at::Tensor x;
  Shape added;  ///< in front of each spatial axis
  Shape pads;
  bool ceil = false;
};

Poolable poolable(const at::Tensor& x, const Window& window) {
  const Shape none(window.kernel.size(), 0);
  if (torch_takes(window)) return {x, none, window.begin, window.ceil};
  const auto outputs = window_output(window, space_of(shape_of(x)));
  return {padded_to_fit(x, window, window.begin, outputs, least_value(x.scalar_type())), window.begin, none};
}

/// Values and, of each, the position in its padded plane, rows first.
std::pair<at::Tensor, at::Tensor> max_pool_with_positions(const Poolable& from, const Window& w) {
  if (w.kernel.size() == 3) {
    const auto [y, at] = at::max_pool3d_with_indices(from.x, w.kernel, w.strides, from.pads, w.dilations, from.ceil);
    return {y, at};
  }
  if (w.kernel.size() == 2) {
    const auto [y, at] = at::max_pool2d_with_indices(from.x, w.kernel, w.strides, from.pads, w.dilations, from.ceil);
    return {y, at};
  }
  const auto [y, at] = at::max_pool2d_with_indices(from.x.unsqueeze(2), {1, w.kernel[0]}, {1, w.strides[0]},
                                                   {0, from.pads[0]}, {1, w.dilations[0]}, from.ceil);
  return {y.squeeze(2), at.squeeze(2)};
}

/// ONNX counts positions through the whole input without pads, in a plane either along the last axis first (rows) or
/// along the first (columns).
at::Tensor onnx_positions(const at::Tensor& in_padded, const Poolable& from, const Shape& shape, bool columns_first) {
  const auto space = space_of(shape), padded = space_of(shape_of(from.x));
  Shape strides(space.size(), 1);
  for (size_t i = 1; i < space.size(); ++i) {
    const auto axis = columns_first ? i : space.size() - 1 - i;
    strides[axis] = columns_first ? strides[axis - 1] * space[axis - 1] : strides[axis + 1] * space[axis + 1];
  }
  auto rest = in_padded, position = at::zeros_like(in_padded);
  for (size_t axis = space.size(); axis-- > 0;) {
    position = position.add(rest.remainder(padded[axis]).sub(from.added[axis]).mul(strides[axis]));
    rest = rest.floor_divide(padded[axis]);
  }
  Shape planes(shape.size(), 1);
  planes[0] = shape[0];
  planes[1] = shape[1];
  const auto plane = at::arange(shape[0] * shape[1], in_padded.options()).reshape(planes);
  return position.add(plane.mul(elements(space)));
}

Kernel max_pool_kernel(const Node& node) {
  return [node, columns_first = node.attributes.integer("storage_order", 0) != 0](Call& call) {
    const auto& x = call.in(0);
    const auto window = window_of(node, {}, space_of(shape_of(x)));
    const auto from = poolable(x, window);
    if (call.outputs.size() < 2) {
      call.out() = max_pool(from.x, window, from.pads, from.ceil);
      return;
    }
    const auto [y, positions] = max_pool_with_positions(from, window);
    call.out(0) = y;
    call.out(1) = onnx_positions(positions, from, shape_of(x), columns_first);
  };
}

std::vector<ValueInfo> max_pool_infer(const InferCall& call) {
  auto results = pool_infer(call);
  if (call.node.outputs > 1) results.push_back({.shape = results[0].shape, .type = at::kLong});
  return results;
}

void max_pool_channels(ChannelFlow& flow) {
  if (flow.node().outputs > 1)
    flow.block_inputs("positions count through all channels");
  else
    pool_channels(flow);
}

at::Tensor average_pool(const at::Tensor& x, const Window& w, bool count_pads) {
  switch (w.kernel.size()) {
  case 1: return at::avg_pool1d(x, w.kernel, w.strides, w.begin, w.ceil, count_pads);
  case 2: return at::avg_pool2d(x, w.kernel, w.strides, w.begin, w.ceil, count_pads);
  default: return at::avg_pool3d(x, w.kernel, w.strides, w.begin, w.ceil, count_pads);
  }
}

/// The mean of windows that LibTorch cannot express: their sums, divided by how many of their values count.
at::Tensor general_average_pool(const at::Tensor& x, const Window& window, bool count_pads) {
  const auto outputs = window_output(window, space_of(shape_of(x)));
  const Shape none(outputs.size(), 0);
  Shape one_map = shape_of(x);
  one_map[0] = one_map[1] = 1;
  auto counted = x.new_ones(one_map);
  if (count_pads) counted = at::constant_pad_nd(counted, torch_pads(window.begin, window.end), 1);
  const auto sums = [&](const at::Tensor& values, const Shape& begin) {
    return window_sums(padded_to_fit(values, window, begin, outputs, 0), window, outputs);
  };
  return sums(x, window.begin).div(sums(counted, count_pads ? none : window.begin));
}

Kernel average_pool_kernel(const Node& node) {
  return [node, count_pads = node.attributes.integer("count_include_pad", 0) != 0](Call& call) {
    const auto& x = call.in(0);
    const auto window = window_of(node, {}, space_of(shape_of(x)));
    const bool dense = std::ranges::all_of(window.dilations, [](int64_t size) { return size == 1; });
    call.out() = dense && torch_takes(window) ? average_pool(x, window, count_pads)
                                              : general_average_pool(x, window, count_pads);
  };
}

Op max_pool_op() {
  auto op =
      pool_op("MaxPool", "largest value of each window, and where it was", max_pool_kernel, Quantization::same_grid);
  op.max_outputs = 2;
  op.infer = max_pool_infer;
  op.channels = max_pool_channels;
  op.attributes.push_back({"storage_order", AttributeSpec::Type::integer});
  return op;
}

Op average_pool_op() {
  auto op = pool_op("AveragePool", "mean of each window", average_pool_kernel, Quantization::arithmetic);
  op.since_opset = 7;
  op.attributes.push_back({"count_include_pad", AttributeSpec::Type::integer});
  return op;
}

}  // namespace

namespace families {
extern const OpFamily pool{{max_pool_op(), average_pool_op()}};
}

}  // namespace compress::ops
