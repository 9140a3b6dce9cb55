#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

Kernel matmul_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).matmul(call.in(1)); };
}

std::vector<ValueInfo> matmul_infer(const InferCall& call) {
  const auto &a = call.shape(0), &b = call.shape(1);
  require_rank(call, 0, 2);
  require_rank(call, 1, 2);
  if (a.back() != b[b.size() - 2])
    throw request_error("shapes {} and {} cannot be multiplied: {} columns meet {} rows", shape_text(a), shape_text(b),
                        a.back(), b[b.size() - 2]);
  auto shape = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  shape.push_back(a[a.size() - 2]);
  shape.push_back(b.back());
  return {{.shape = std::move(shape), .type = call.in(0).type}};
}

int64_t matmul_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs) {
  return elements(outputs[0].shape) * inputs[0].shape.back();
}

int last_axis(const Node&) {
  return 1;
}

/// x [..., in] times a weight [in, out] is a linear layer; anything else mixes two values and is not followed.
void matmul_channels(ChannelFlow& flow) {
  if (flow.is_parameter(0) || flow.shape(1).size() != 2) {
    flow.block_inputs("both factors are values");
    return;
  }
  auto map = flow.map(0);
  flow.bind(1, 0, map.back());
  map.back() = flow.own_axis(1, 1);
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily matmul{
    {{.name = "MatMul",
      .doc = "matrix product over the last two axes; with a parameter [in, out] a linear layer",
      .min_inputs = 2,
      .max_inputs = 2,
      .kernel = matmul_kernel,
      .gradient = Gradient::yes,
      .infer = matmul_infer,
      .macs = matmul_macs,
      .channels = matmul_channels,
      .resize = keep_attributes,
      .quantization = Quantization::weighted,
      .weight_input = 1,
      .weight_axis = last_axis}}};
}

}  // namespace compress::ops
