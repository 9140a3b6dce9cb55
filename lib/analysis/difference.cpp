#include "analysis/difference.h"

#include "core/error.h"
#include "core/text.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

namespace compress::analysis {

void Difference::add(const at::Tensor& reference, const at::Tensor& other) {
  const at::NoGradGuard no_grad;
  if (reference.sizes() != other.sizes())
    throw run_error("values of shape {} and {} cannot be compared", shape_text(reference.sizes()),
                    shape_text(other.sizes()));
  if (reference.numel() == 0) return;
  auto x = reference.to(at::kDouble).contiguous().flatten(), y = other.to(at::kDouble).contiguous().flatten();
  auto error = y - x;
  if (!std::isfinite(error.sum().item<double>())) {
    const auto same = x.eq(y).logical_and_(x.isfinite().logical_not_());
    x = x.masked_fill(same, 0), y = y.masked_fill(same, 0), error = error.masked_fill(same, 0);
  }
  numbers_ += x.numel();
  add_sums(x, y, error);
}

void Difference::add_sums(const at::Tensor& x, const at::Tensor& y, const at::Tensor& error) {
  const auto magnitudes = error.abs();
  const double largest = magnitudes.max().item<double>();
  signal_ += x.dot(x).item<double>();
  other_ += y.dot(y).item<double>();
  product_ += x.dot(y).item<double>();
  noise_ += error.dot(error).item<double>();
  error_ += error.sum().item<double>();
  absolute_ += magnitudes.sum().item<double>();
  // NaN is less than nothing, but stays once it is there.
  largest_ = std::isfinite(largest) ? std::max(largest_, largest) : std::numeric_limits<double>::infinity();
}

double Difference::sqnr() const {
  constexpr auto kInfinity = std::numeric_limits<double>::infinity();
  if (numbers_ == 0) return std::numeric_limits<double>::quiet_NaN();
  if (largest_ == 0) return kInfinity;
  if (!std::isfinite(noise_) || !std::isfinite(signal_) || signal_ == 0) return -kInfinity;
  return noise_ == 0 ? kInfinity : 10 * std::log10(signal_ / noise_);
}

double Difference::mean_error() const {
  return error_ / static_cast<double>(numbers_);
}

double Difference::mean_absolute_error() const {
  return absolute_ / static_cast<double>(numbers_);
}

double Difference::cosine() const {
  if (signal_ == 0 && other_ == 0) return 1;
  return product_ / std::sqrt(signal_ * other_);
}

}  // namespace compress::analysis
