#include "quant/tensor_range.h"

#include "core/error.h"
#include "core/text.h"

#include <ATen/ops/broadcast_tensors.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>

namespace compress::quant {
namespace {

void check_axis(const at::Tensor& x, int64_t axis) {
  if (axis < -1 || axis >= x.dim())
    throw request_error("the range along axis {} of a value of shape {}", axis, shape_text(x.sizes()))
        .hint("-1: one range for the whole value");
}

ops::ValueRange mean_of(const ops::ValueRange& range) {
  return {range.min.mean(), range.max.mean()};
}

}  // namespace

void check_range(const at::Tensor& min, const at::Tensor& max) {
  const auto both = at::broadcast_tensors({min, max});
  const auto good = both[0].le(both[1]).logical_and_(both[0].isfinite()).logical_and_(both[1].isfinite());
  if (good.all().item<bool>()) return;
  const auto wrong = good.logical_not();
  throw request_error("the range [{}, {}] of a grid", both[0].masked_select(wrong)[0].item<double>(),
                      both[1].masked_select(wrong)[0].item<double>())
      .hint("the smallest number is not above the largest, and both are finite");
}

ops::ValueRange symmetric_range(const at::Tensor& saturation) {
  check_range(saturation.neg(), saturation);
  return {saturation.neg(), saturation};
}

ops::ValueRange min_max(const at::Tensor& x, int64_t axis) {
  check_axis(x, axis);
  return ops::value_range(x, axis);
}

ops::ValueRange averaged_min_max(const at::Tensor& x, int64_t axis) {
  return mean_of(min_max(x, axis));
}

at::Tensor max_abs(const at::Tensor& x, int64_t axis) {
  const auto range = min_max(x, axis);
  return at::maximum(range.min.abs(), range.max.abs());
}

at::Tensor averaged_max_abs(const at::Tensor& x, int64_t axis) {
  return max_abs(x, axis).mean();
}

ops::ValueRange n_std_range(const at::Tensor& x, double n) {
  if (!(n > 0)) throw request_error("a range of {} standard deviations", n).hint("it must be positive");
  const auto mean = x.detach().mean(), reach = x.detach().std().mul(n);
  const auto range = min_max(x, -1);
  return {at::maximum(range.min, mean.sub(reach)), at::minimum(range.max, mean.add(reach))};
}

}  // namespace compress::quant
