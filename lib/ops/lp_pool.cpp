#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

/// (sum of |x|^p)^(1/p) of each window; pads count as 0.
Kernel lp_pool_kernel(const Node& node) {
  return [node, p = node.attributes.integer("p", 2)](Call& call) {
    const auto& x = call.in(0);
    const auto window = window_of(node, {}, space_of(shape_of(x)));
    const auto outputs = window_output(window, space_of(shape_of(x)));
    const auto powers = p == 2 ? x.mul(x) : x.abs().pow(p);
    const auto sums = window_sums(padded_to_fit(powers, window, window.begin, outputs, 0), window, outputs);
    call.out() = root_of_sum(sums, static_cast<double>(p));
  };
}

std::vector<ValueInfo> lp_pool_infer(const InferCall& call) {
  if (const auto p = call.node.attributes.integer("p", 2); p < 1)
    throw request_error("attribute 'p' is {}, it must be at least 1", p);
  return pool_infer(call);
}

Op lp_pool_op() {
  auto op = pool_op("LpPool", "p-norm of each window", lp_pool_kernel, Quantization::arithmetic);
  op.since_opset = 2;
  op.infer = lp_pool_infer;
  op.attributes.push_back({"p", AttributeSpec::Type::integer});
  return op;
}

}  // namespace

namespace families {
extern const OpFamily lp_pool{{lp_pool_op()}};
}

}  // namespace compress::ops
