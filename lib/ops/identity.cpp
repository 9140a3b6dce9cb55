#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

Kernel identity_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0); };
}

}  // namespace

namespace families {
extern const OpFamily identity{{{.name = "Identity",
                                 .doc = "its input; import drops it",
                                 .kernel = identity_kernel,
                                 .gradient = Gradient::yes,
                                 .infer = infer_same,
                                 .macs = no_macs,
                                 .channels = same_channels,
                                 .resize = keep_attributes,
                                 .quantization = Quantization::same_grid}}};
}

}  // namespace compress::ops
