#include "quant/lapq/lp_clip.h"

#include "core/error.h"
#include "core/text.h"
#include "quant/lapq/brent.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace compress::quant {

namespace {

/// The error has a local minimum per crossing of a value and a grid's edge; few of them matter after a scan this fine.
constexpr int kScanned = 24;
constexpr double kClipTolerance = 1e-3;
constexpr int64_t kClipEvaluations = 16;
/// Rounds over both bounds of an asymmetric range.
constexpr int kBoundRounds = 2;

void check_sample(const Sample& sample, double p) {
  if (!(p > 0) || !std::isfinite(p)) throw request_error("p is {}; it must be a positive number", p);
  if (sample.weights.defined() && sample.weights.sizes() != sample.values.sizes())
    throw request_error("the values have shape {}, their weights {}", shape_text(sample.values.sizes()),
                        shape_text(sample.weights.sizes()));
}

/// Keeps the best range of all that were tried.
class ClipSearch {
public:
  ClipSearch(const Sample& sample, const ops::GridSpec& spec, double p, Clip start)
      : sample_(sample), spec_(spec), p_(p), best_(start) {
    best_.error = lp_error(sample_, spec_, p_, best_.low, best_.high);
  }

  /// Searches the share t in (0, 1] of a range.
  void over(const std::function<Clip(double t)>& range) {
    double place = 1, least = std::numeric_limits<double>::infinity();
    const auto error = [&](double t) { return try_clip(range(t)); };
    for (int i = kScanned; i > 0; --i) {
      const auto t = static_cast<double>(i) / kScanned;
      if (const auto here = error(t); here < least) {
        least = here;
        place = t;
      }
    }
    constexpr double kNextTo = 1.0 / kScanned;
    const auto low = std::max(place - kNextTo, kNextTo / 64), high = std::min(place + kNextTo, 1.0);
    brent_minimum(error, low, high, kClipTolerance, kClipEvaluations);
  }
  const Clip& best() const { return best_; }

private:
  double try_clip(Clip clip) {
    clip.error = lp_error(sample_, spec_, p_, clip.low, clip.high);
    if (clip.error < best_.error) best_ = clip;
    return clip.error;
  }

  const Sample& sample_;
  const ops::GridSpec& spec_;
  double p_;
  Clip best_;
};

/// What a grid can reach of a tensor's range.
Clip widest(const Sample& sample, const ops::GridSpec& spec) {
  if (sample.values.numel() == 0) return {};
  const auto [min, max] = ops::value_range(sample.values, -1);
  const auto low = std::min(min.item<double>(), 0.0), high = std::max(max.item<double>(), 0.0);
  if (!std::isfinite(min.item<double>()) || !std::isfinite(max.item<double>()))
    throw run_error("a tensor to be quantised holds NaN or an infinity");
  if (!spec.symmetric) return {low, high};
  const auto reach = std::max(-low, high);
  return spec.is_signed ? Clip{-reach, reach} : Clip{0, high};
}

}  // namespace

Sample without_zeros(const Sample& sample) {
  const at::NoGradGuard no_grad;
  const auto kept = sample.values.ne(0);
  return {sample.values.masked_select(kept),
          sample.weights.defined() ? sample.weights.masked_select(kept) : at::Tensor{}};
}

double lp_error(const Sample& sample, const ops::GridSpec& spec, double p, double low, double high) {
  const at::NoGradGuard no_grad;
  check_sample(sample, p);
  if (sample.values.numel() == 0) return 0;
  const auto bound = [&](double value) { return at::full({}, value, sample.values.options()); };
  const auto grid = ops::make_grid(bound(low), bound(high), spec);
  auto error = ops::quantized(sample.values, grid, spec, -1).sub_(grid.zero_point).mul_(grid.scale);
  error.sub_(sample.values).abs_().pow_(p);
  if (!sample.weights.defined()) return error.sum(at::kDouble).item<double>() / static_cast<double>(error.numel());
  const auto total = sample.weights.sum(at::kDouble).item<double>();
  return total > 0 ? error.mul(sample.weights).sum(at::kDouble).item<double>() / total : 0;
}

Clip lp_optimal_clip(const Sample& sample, const ops::GridSpec& spec, double p) {
  check_sample(sample, p);
  const auto whole = widest(sample, spec);
  if (whole.low == whole.high) return {};
  ClipSearch search(sample, spec, p, whole);
  search.over([&](double t) { return Clip{t * whole.low, t * whole.high}; });
  if (spec.symmetric || whole.low == 0 || whole.high == 0) return search.best();
  for (int round = 0; round < kBoundRounds; ++round) {
    const auto high = search.best().high;
    search.over([&](double t) { return Clip{t * whole.low, high}; });
    const auto low = search.best().low;
    search.over([&](double t) { return Clip{low, t * whole.high}; });
  }
  return search.best();
}

}  // namespace compress::quant
