#include "core/text.h"
#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/shape.h"

#include <ATen/ops/constant_pad_nd.h>

namespace compress::ops {

namespace {

/// The shape to which the positions refer: what MaxPool with these windows had as input, at least.
Shape unpooled_shape(const Node& node, const Shape& from) {
  const auto window = window_of(node, {}, space_of(from));
  auto shape = from;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    shape[i + 2] = (from[i + 2] - 1) * window.strides[i] + window.kernel[i] - window.begin[i] - window.end[i];
    if (shape[i + 2] < 1) throw request_error("pads leave nothing of spatial axis {} of size {}", i, from[i + 2]);
  }
  return shape;
}

/// The shape that the output has; what is larger than the above is filled with zeros.
Shape stated_shape(const Node& node, const Shape& unpooled) {
  const auto stated = node.attributes.integers("output_shape", unpooled);
  bool fits = stated.size() == unpooled.size();
  for (size_t i = 0; fits && i < stated.size(); ++i) fits = i < 2 ? stated[i] == unpooled[i] : stated[i] >= unpooled[i];
  if (!fits)
    throw request_error("attribute 'output_shape' is {}, but the windows fill {}", shape_text(stated),
                        shape_text(unpooled));
  return stated;
}

Kernel max_unpool_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto unpooled = unpooled_shape(node, shape_of(x)), stated = stated_shape(node, unpooled);
    const auto places = call.in(1).reshape({-1});
    const auto count = elements(unpooled);
    if (places.numel() > 0 && (places.min().item<int64_t>() < 0 || places.max().item<int64_t>() >= count))
      throw run_error("positions must lie in an input of shape {}, from 0 to {}", shape_text(unpooled), count - 1);
    const auto values = x.new_zeros({count}).scatter(0, places, x.reshape({-1}));
    Shape behind;
    for (size_t i = 2; i < stated.size(); ++i) behind.push_back(stated[i] - unpooled[i]);
    call.out() = at::constant_pad_nd(values.reshape(unpooled), torch_pads(Shape(behind.size(), 0), behind), 0);
  };
}

std::vector<ValueInfo> max_unpool_infer(const InferCall& call) {
  require_rank(call, 0, 3);
  if (call.shape(1) != call.shape(0))
    throw request_error("values of shape {} and positions of shape {} differ", shape_text(call.shape(0)),
                        shape_text(call.shape(1)));
  return {{.shape = stated_shape(call.node, unpooled_shape(call.node, call.shape(0))), .type = call.in(0).type}};
}

}  // namespace

namespace families {
extern const OpFamily max_unpool{{{.name = "MaxUnpool",
                                   .doc = "puts values where MaxPool found them, zeros elsewhere",
                                   .min_inputs = 2,
                                   .max_inputs = 2,
                                   .since_opset = 9,
                                   .attributes = {{"kernel_shape", AttributeSpec::Type::integers, true},
                                                  {"output_shape", AttributeSpec::Type::integers},
                                                  {"pads", AttributeSpec::Type::integers},
                                                  {"strides", AttributeSpec::Type::integers}},
                                   .constant_inputs = {{.index = 2, .attribute = "output_shape", .since_opset = 9}},
                                   .kernel = max_unpool_kernel,
                                   .gradient = Gradient::yes,
                                   .infer = max_unpool_infer,
                                   .macs = no_macs,
                                   .channels = blocked,  // positions count through all channels
                                   .resize = keep_attributes,
                                   .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
