#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

/// uint8 on the grid that the values of this call span, with scale and zero point; in 32 bits, step by step as ONNX
/// defines it. A call of zeros only has the scale 1/255.
Kernel dynamic_quantize_kernel(const Node&) {
  return [](Call& call) {
    const auto& x = call.in(0);
    const auto high = x.max().clamp_min(0), low = x.min().clamp_max(0);
    const auto range = high.sub(low);
    const auto scale = range.masked_fill(range.eq(0), 1).div(255);
    const auto zero_point = low.div(scale).neg().clamp(0, 255).round();
    call.out(0) = x.div(scale).round().add(zero_point).clamp(0, 255).to(at::kByte);
    if (call.outputs.size() > 1) call.out(1) = scale;
    if (call.outputs.size() > 2) call.out(2) = zero_point.to(at::kByte);
  };
}

std::vector<ValueInfo> dynamic_quantize_infer(const InferCall& call) {
  if (elements(call.shape(0)) == 0) throw request_error("a value of shape {} has no range", shape_text(call.shape(0)));
  std::vector<ValueInfo> results{{call.shape(0), at::kByte}, {{}, call.in(0).type}, {{}, at::kByte}};
  results.resize(static_cast<size_t>(call.node.outputs));
  return results;
}

}  // namespace

namespace families {
extern const OpFamily dynamic_quantize_linear{{{.name = "DynamicQuantizeLinear",
                                                .doc = "8-bit integers on the grid of the values of each call",
                                                .max_outputs = 3,
                                                .since_opset = 11,
                                                .kernel = dynamic_quantize_kernel,
                                                .gradient = Gradient::none,
                                                .infer = dynamic_quantize_infer,
                                                .macs = no_macs,
                                                .channels = blocked,
                                                .resize = keep_attributes,
                                                .quantization = Quantization::quantizer}}};
}

}  // namespace compress::ops
