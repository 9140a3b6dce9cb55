#include "ops/indices.h"

#include "core/text.h"

#include <ATen/ops/where.h>

namespace compress::ops {

at::Tensor indices_within(const at::Tensor& indices, int64_t size) {
  const auto positions = indices.to(at::kLong);
  if (positions.is_cpu() && positions.numel() > 0) {
    const auto low = positions.min().item<int64_t>(), high = positions.max().item<int64_t>();
    if (low < -size || high >= size)
      throw run_error("index {} is outside an axis of size {}", high >= size ? high : low, size)
          .hint(fmt::format("allowed are {} to {}", -size, size - 1));
    if (low >= 0) return positions;
  }
  return at::where(positions.lt(0), positions.add(size), positions);
}

at::Tensor joined_indices(const at::Tensor& indices, std::span<const int64_t> sizes) {
  auto joined = indices.new_zeros(indices.sizes().slice(0, static_cast<size_t>(indices.dim() - 1)), at::kLong);
  for (size_t i = 0; i < sizes.size(); ++i)
    joined = joined.mul(sizes[i]).add(indices_within(indices.select(-1, static_cast<int64_t>(i)), sizes[i]));
  return joined;
}

void block_all_axes(ChannelFlow& flow, size_t i, const std::string& why) {
  for (size_t axis = 0; axis < flow.map(i).size(); ++axis) {
    if (flow.is_parameter(i)) flow.bind(i, static_cast<int64_t>(axis), {});
    flow.block(flow.map(i)[axis], why);
  }
}

void require_indices(const InferCall& call, size_t i) {
  if (!at::isIntegralType(call.in(i).type, /*includeBool=*/false))
    throw request_error("input {} has element type {}, but indices must be integers", i,
                        c10::toString(call.in(i).type));
}

}  // namespace compress::ops
