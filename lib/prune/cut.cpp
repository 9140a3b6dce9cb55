#include "prune/cut.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

namespace compress::prune {

namespace {

/// An integer that orders as the number does; both zeros are one.
uint32_t order_of(float number) {
  const auto bits = std::bit_cast<uint32_t>(number + 0.0F);
  return bits & 0x80000000U ? ~bits : bits | 0x80000000U;
}

/// The `count`-th smallest of the numbers (from 1), and how many of its equals belong to the `count` smallest. The
/// upper half of the bits is counted; only what shares the upper half of the one sought is looked at again.
struct Limit {
  uint32_t last;
  int64_t equals;
};
Limit find_limit(std::span<const float> numbers, int64_t count) {
  std::vector<int64_t> tally(1U << 16);
  for (const float number : numbers) ++tally[order_of(number) >> 16];
  uint32_t upper = 0;
  int64_t below = 0;
  while (below + tally[upper] < count) below += tally[upper++];
  std::vector<uint32_t> near;
  near.reserve(static_cast<size_t>(tally[upper]));
  for (const float number : numbers)
    if (const auto order = order_of(number); order >> 16 == upper) near.push_back(order);
  const auto sought = near.begin() + (count - below - 1);
  std::nth_element(near.begin(), sought, near.end());
  const auto smaller = std::count_if(near.begin(), sought, [&](uint32_t order) { return order < *sought; });
  return {*sought, count - below - smaller};
}

int64_t rounded(double x, Rounding rounding) {
  switch (rounding) {
  case Rounding::floor: return static_cast<int64_t>(std::floor(x));
  case Rounding::ceil: return static_cast<int64_t>(std::ceil(x));
  case Rounding::round: return static_cast<int64_t>(std::nearbyint(x));
  }
  return 0;
}

at::Tensor single_precision(const at::Tensor& strengths) {
  return strengths.detach().to(at::kFloat).contiguous();
}

}  // namespace

at::Tensor cut_weakest(const at::Tensor& strengths, int64_t count) {
  const auto compared = single_precision(strengths);
  if (count <= 0) return at::ones_like(compared);
  if (!compared.is_cpu()) {
    auto map = at::ones_like(compared);
    return map.index_fill_(0, compared.argsort(/*stable=*/true, /*dim=*/0).slice(0, 0, count), 0);
  }
  const std::span numbers(compared.const_data_ptr<float>(), static_cast<size_t>(compared.numel()));
  auto [last, equals] = find_limit(numbers, std::min(count, compared.numel()));
  auto map = at::empty(compared.sizes(), compared.options());
  auto* kept = map.mutable_data_ptr<float>();
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto order = order_of(numbers[i]);
    kept[i] = order < last || (order == last && equals-- > 0) ? 0.0F : 1.0F;
  }
  return map;
}

at::Tensor cut_quota(const at::Tensor& strengths, int64_t keep, int64_t of) {
  const auto compared = single_precision(strengths).cpu();
  auto map = at::ones_like(compared);
  const auto* numbers = compared.const_data_ptr<float>();
  auto* kept = map.mutable_data_ptr<float>();
  std::vector<int64_t> order(static_cast<size_t>(of));
  for (int64_t begin = 0; begin < compared.numel(); begin += of) {
    std::iota(order.begin(), order.end(), begin);
    std::ranges::sort(
        order, [&](int64_t a, int64_t b) { return numbers[a] < numbers[b] || (numbers[a] == numbers[b] && a < b); });
    for (int64_t i = 0; i < of - keep; ++i) kept[order[static_cast<size_t>(i)]] = 0;
  }
  return map.to(strengths.device());
}

int64_t CountRule::removed(int64_t structures, double share) const {
  auto count = rounded(share * static_cast<double>(structures), rounding);
  count = rounded(static_cast<double>(count) / static_cast<double>(group_size), rounding) * group_size;
  while (count >= structures) count -= group_size;
  return std::max<int64_t>(count, 0);
}

at::Tensor cut_share(const at::Tensor& strengths, double share, const CountRule& rule) {
  return cut_weakest(strengths, rule.removed(strengths.numel(), share));
}

}  // namespace compress::prune
