#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

Kernel expand_kernel(const Node& node) {
  return [shape = node.attributes.integers("shape", {})](Call& call) {
    call.out() = call.in(0).expand(broadcast(shape_of(call.in(0)), shape));
  };
}

std::vector<ValueInfo> expand_infer(const InferCall& call) {
  return {{.shape = broadcast(call.shape(0), call.node.attributes.integers("shape", {})), .type = call.in(0).type}};
}

/// Axes that are not expanded and stay as long as they are name the new size, which must follow.
void expand_resize(Node& node, const Resize& resize) {
  auto shape = node.attributes.integers("shape", {});
  const auto offset = resize.axes_of_output() - std::ssize(shape);
  for (int64_t i = 0; i < std::ssize(shape); ++i)
    if (const auto count = resize.count_output(i + offset); count >= 0 && shape[static_cast<size_t>(i)] != 1)
      shape[static_cast<size_t>(i)] = count;
  node.attributes.set("shape", shape);
}

}  // namespace

namespace families {
extern const OpFamily expand{{{.name = "Expand",
                               .doc = "repeats axes of size 1 up to a shape",
                               .since_opset = 8,
                               .attributes = {{"shape", AttributeSpec::Type::integers, true}},
                               .constant_inputs = {{.index = 1, .attribute = "shape", .since_opset = 8}},
                               .kernel = expand_kernel,
                               .gradient = Gradient::yes,
                               .infer = expand_infer,
                               .macs = no_macs,
                               .channels = elementwise_channels,
                               .resize = expand_resize,
                               .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
