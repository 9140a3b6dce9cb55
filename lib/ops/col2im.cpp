#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/zeros.h>

namespace compress::ops {

namespace {

/// The windows that were cut out of the image: one entry per spatial axis.
struct Blocks {
  Window window;
  Shape image;
  Shape counts;  ///< of windows

  /// Size of the image with its pads.
  int64_t padded(size_t axis) const { return image[axis] + window.begin[axis] + window.end[axis]; }
};

Blocks blocks_of(const Node& node) {
  auto windows = node;  // its kernel is called otherwise
  windows.attributes.set("kernel_shape", node.attributes.integers("block_shape", {}));
  const auto image = node.attributes.integers("image_shape", {});
  Blocks blocks{.window = window_of(windows, {}, image), .image = image, .counts = {}};
  blocks.counts = window_output(blocks.window, image);
  return blocks;
}

/// Where each element of a channel's blocks lies in the padded image, rows first.
at::Tensor places_of(const Blocks& blocks, const at::TensorOptions& options) {
  const auto axes = blocks.image.size();
  auto places = at::zeros({}, options);
  for (size_t i = 0; i < axes; ++i) {
    Shape inside(2 * axes, 1), across(2 * axes, 1);
    inside[i] = blocks.window.kernel[i];
    across[axes + i] = blocks.counts[i];
    const auto offset = at::arange(blocks.window.kernel[i], options).mul(blocks.window.dilations[i]).reshape(inside);
    const auto start = at::arange(blocks.counts[i], options).mul(blocks.window.strides[i]).reshape(across);
    places = places.mul(blocks.padded(i)).add(offset.add(start));
  }
  return places.flatten();
}

Kernel col2im_kernel(const Node& node) {
  return [blocks = blocks_of(node)](Call& call) {
    const auto& x = call.in(0);
    const auto n = x.size(0), c = x.size(1) / elements(blocks.window.kernel);
    Shape padded, image{n, c}, crop_front, crop_behind;
    for (size_t i = 0; i < blocks.image.size(); ++i) {
      padded.push_back(blocks.padded(i));
      image.push_back(padded.back());
      crop_front.push_back(-blocks.window.begin[i]);
      crop_behind.push_back(-blocks.window.end[i]);
    }
    const auto places = places_of(blocks, x.options().dtype(at::kLong));
    const auto sums = x.new_zeros({n, c, elements(padded)}).index_add(2, places, x.reshape({n, c, places.numel()}));
    call.out() = at::constant_pad_nd(sums.reshape(image), torch_pads(crop_front, crop_behind), 0);
  };
}

std::vector<ValueInfo> col2im_infer(const InferCall& call) {
  const auto blocks = blocks_of(call.node);
  const auto& x = call.shape(0);
  const auto inside = elements(blocks.window.kernel);
  if (x.size() != 3 || x[1] % inside != 0 || x[2] != elements(blocks.counts))
    throw request_error("a value of shape {} does not hold the {} blocks of {} of an image of {}", shape_text(x),
                        elements(blocks.counts), shape_text(blocks.window.kernel), shape_text(blocks.image));
  Shape shape{x[0], x[1] / inside};
  shape.insert(shape.end(), blocks.image.begin(), blocks.image.end());
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

/// The elements of a channel's blocks live and die together.
void col2im_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  block_other_axes(flow);
  const auto& atoms = flow.axis(0, 1);
  const auto inside = elements(blocks_of(flow.node()).window.kernel);
  ChannelMap map(flow.output_shape().size());
  for (int64_t k = 0; k < std::ssize(atoms); ++k) {
    if (k % inside == 0) map[1].push_back(atoms[static_cast<size_t>(k)]);
    flow.unite({atoms[static_cast<size_t>(k)]}, {map[1].back()});
  }
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily col2im{{{.name = "Col2Im",
                               .doc = "adds blocks of an image where they were cut out",
                               .since_opset = 18,
                               .attributes = {{"block_shape", AttributeSpec::Type::integers, true},
                                              {"dilations", AttributeSpec::Type::integers},
                                              {"image_shape", AttributeSpec::Type::integers, true},
                                              {"pads", AttributeSpec::Type::integers},
                                              {"strides", AttributeSpec::Type::integers}},
                               .constant_inputs = {{.index = 1, .attribute = "image_shape", .since_opset = 18},
                                                   {.index = 2, .attribute = "block_shape", .since_opset = 18}},
                               .kernel = col2im_kernel,
                               .gradient = Gradient::yes,
                               .infer = col2im_infer,
                               .macs = no_macs,
                               .channels = col2im_channels,
                               .resize = keep_attributes,
                               .quantization = Quantization::none}}};
}

}  // namespace compress::ops
