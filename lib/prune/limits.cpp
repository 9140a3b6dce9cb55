#include "prune/limits.h"

#include <ATen/ops/zeros_like.h>

#include <algorithm>

namespace compress::prune {

void Limits::declare(Settings& settings) {
  settings.optional("min_channels", min_channels_, "structures that stay at least, in each weight or group",
                    at_least(1));
  settings.optional("multiple_of", multiple_of_, "the number that stays is a multiple of this (or all stay)",
                    at_least(1));
  settings.choice("rounding", rounding_,
                  {{"up", Rounding::up}, {"down", Rounding::down}, {"nearest", Rounding::nearest}},
                  "how the number that stays becomes a multiple: up removes less than asked, down more");
}

int64_t Limits::allowed(int64_t structures, int64_t kept) const {
  const int64_t below = kept / multiple_of_ * multiple_of_, above = kept == below ? kept : below + multiple_of_;
  int64_t count =
      rounding_ == Rounding::up || (rounding_ == Rounding::nearest && above - kept <= kept - below) ? above : below;
  const int64_t least = (min_channels_ + multiple_of_ - 1) / multiple_of_ * multiple_of_;
  if (kept == structures) count = structures;
  return std::min(std::max(count, least), structures);
}

at::Tensor Limits::apply(const at::Tensor& map, const at::Tensor& strengths) const {
  const int64_t structures = map.numel(), kept = map.count_nonzero().item<int64_t>();
  const int64_t wanted = allowed(structures, kept);
  if (wanted == kept) return map;
  // Those that went come first, then the others; the weakest of each first.
  const at::Tensor by_strength = strengths.argsort(/*stable=*/true, /*dim=*/0);
  const at::Tensor order = by_strength.index_select(
      0, map.index_select(0, by_strength.to(map.device())).argsort(/*stable=*/true, /*dim=*/0).to(strengths.device()));
  at::Tensor limited = at::zeros_like(map);
  limited.index_fill_(0, order.slice(0, structures - wanted).to(map.device()), 1);
  return limited;
}

}  // namespace compress::prune
