#pragma once

#include <ATen/core/Tensor.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <string>

namespace compress::test {

/// "" when the tensors have one shape and differ nowhere by more than `tolerance`; else the first differing index, both
/// values, the largest error.
inline std::string difference(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  if (!a.sizes().equals(b.sizes())) {
    const auto text = [](const at::Tensor& tensor) { return fmt::format("[{}]", fmt::join(tensor.sizes(), ",")); };
    return fmt::format("shapes differ: {} and {}", text(a), text(b));
  }
  const auto x = a.detach().to(at::kDouble).flatten(), y = b.detach().to(at::kDouble).flatten();
  const auto error = x.sub(y).abs();
  const auto same = x.eq(y).logical_or(error.le(tolerance)).logical_or(x.isnan().logical_and(y.isnan()));
  const auto wrong = same.logical_not().nonzero().flatten();
  if (wrong.numel() == 0) return {};
  const auto at = wrong[0].item<int64_t>();
  return fmt::format("{} of {} elements differ by more than {}; the first is number {}: {} and {}; largest error {}",
                     wrong.numel(), x.numel(), tolerance, at, x[at].item<double>(), y[at].item<double>(),
                     error.max().item<double>());
}

inline void require_close(const at::Tensor& a, const at::Tensor& b, double tolerance) {
  const auto text = difference(a, b, tolerance);
  INFO(text);
  REQUIRE(text.empty());
}

}  // namespace compress::test
