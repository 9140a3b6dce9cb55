#include "ops/pointwise_op.h"

#include <ATen/ops/where.h>

namespace compress::ops {

namespace {

Kernel where_kernel(const Node&) {
  return [](Call& call) { call.out() = at::where(call.in(0), call.in(1), call.in(2)); };
}

std::vector<ValueInfo> where_infer(const InferCall& call) {
  auto infos = infer_broadcast(call);
  infos[0].type = call.in(1).type;
  return infos;
}

Op where_op() {
  auto op = pointwise_op("Where", "a where the condition holds, else b", where_kernel, 3);
  op.since_opset = 9;
  op.infer = where_infer;
  op.quantization = Quantization::none;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily where{{where_op()}};
}

}  // namespace compress::ops
