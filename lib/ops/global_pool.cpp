#include "ops/channels.h"
#include "ops/pool.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

Shape spatial_positions(int64_t rank) {
  Shape axes;
  for (int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

Kernel global_average_pool_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).mean(spatial_positions(call.in(0).dim()), /*keepdim=*/true); };
}

Kernel global_max_pool_kernel(const Node&) {
  return [](Call& call) { call.out() = call.in(0).amax(spatial_positions(call.in(0).dim()), /*keepdim=*/true); };
}

Kernel global_lp_pool_kernel(const Node& node) {
  return [p = node.attributes.integer("p", 2)](Call& call) {
    const auto& x = call.in(0);
    const auto powers = p == 2 ? x.mul(x) : x.abs().pow(p);
    call.out() = root_of_sum(powers.sum(spatial_positions(x.dim()), /*keepdim=*/true), static_cast<double>(p));
  };
}

std::vector<ValueInfo> global_pool_infer(const InferCall& call) {
  require_rank(call, 0, 3);
  if (const auto p = call.node.attributes.integer("p", 2); p < 1)
    throw request_error("attribute 'p' is {}, it must be at least 1", p);
  auto result = call.in(0);
  std::fill(result.shape.begin() + 2, result.shape.end(), 1);
  return {result};
}

Op global_pool_op(std::string_view name,
                  std::string_view doc,
                  Kernel (*kernel)(const Node&),
                  Quantization quantization) {
  auto op = pool_op(name, doc, kernel, quantization);
  op.attributes = {};
  op.infer = global_pool_infer;
  op.normalize = nullptr;
  return op;
}

Op global_lp_pool_op() {
  auto op =
      global_pool_op("GlobalLpPool", "p-norm over all spatial axes", global_lp_pool_kernel, Quantization::arithmetic);
  op.since_opset = 2;
  op.attributes = {{"p", AttributeSpec::Type::integer}};
  return op;
}

}  // namespace

namespace families {
extern const OpFamily global_pool{
    {global_pool_op(
         "GlobalAveragePool", "mean over all spatial axes", global_average_pool_kernel, Quantization::arithmetic),
     global_pool_op(
         "GlobalMaxPool", "largest value over all spatial axes", global_max_pool_kernel, Quantization::same_grid),
     global_lp_pool_op()}};
}

}  // namespace compress::ops
