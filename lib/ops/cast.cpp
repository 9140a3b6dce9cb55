#include "ops/attributes.h"
#include "ops/channels.h"

namespace compress::ops {

namespace {

Kernel cast_kernel(const Node& node) {
  return [type = element_type(node.attributes.integer("to", 1))](Call& call) { call.out() = call.in(0).to(type); };
}

std::vector<ValueInfo> cast_infer(const InferCall& call) {
  return {{.shape = call.shape(0), .type = element_type(call.node.attributes.integer("to", 1))}};
}

}  // namespace

namespace families {
extern const OpFamily cast{{{.name = "Cast",
                             .doc = "changes the element type",
                             .since_opset = 6,
                             .attributes = {{"to", AttributeSpec::Type::integer, true}},
                             .kernel = cast_kernel,
                             .gradient = Gradient::yes,
                             .infer = cast_infer,
                             .macs = no_macs,
                             .channels = same_channels,
                             .resize = keep_attributes,
                             .quantization = Quantization::none}}};
}

}  // namespace compress::ops
