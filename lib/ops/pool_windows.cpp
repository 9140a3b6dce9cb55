#include "core/text.h"
#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/where.h>

namespace compress::ops {

at::Tensor
padded_to_fit(const at::Tensor& x, const Window& window, const Shape& begin, const Shape& outputs, double value) {
  Shape end;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto needed = (outputs[i] - 1) * window.strides[i] + window.dilations[i] * (window.kernel[i] - 1) + 1;
    end.push_back(needed - x.size(static_cast<int64_t>(i) + 2) - begin[i]);
  }
  return at::constant_pad_nd(x, torch_pads(begin, end), value);
}

at::Tensor window_sums(const at::Tensor& x, const Window& window, const Shape& outputs) {
  auto result = x;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto axis = static_cast<int64_t>(i) + 2;
    const auto reach = (outputs[i] - 1) * window.strides[i] + 1;
    const auto part = [&](int64_t k) {
      const auto first = k * window.dilations[i];
      return result.slice(axis, first, first + reach, window.strides[i]);
    };
    auto sum = part(0);
    for (int64_t k = 1; k < window.kernel[i]; ++k) sum = sum.add(part(k));
    result = sum;
  }
  return result;
}

at::Tensor root_of_sum(const at::Tensor& sum, double p) {
  const auto empty = sum.eq(0);
  return sum.masked_fill(empty, 1).pow(1 / p).masked_fill(empty, 0);
}

std::vector<ValueInfo> pool_infer(const InferCall& call) {
  const auto& x = call.shape(0);
  if (x.size() < 3 || x.size() > 5)
    throw request_error("a value of shape {} cannot be pooled: it needs 3, 4 or 5 axes", shape_text(x));
  const auto space = space_of(x);
  Shape shape{x[0], x[1]};
  for (const auto size : window_output(window_of(call.node, {}, space), space)) shape.push_back(size);
  return {{.shape = std::move(shape), .type = call.in(0).type}};
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

}  // namespace compress::ops
