#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace compress::prune {

/// 1 for the structures that stay, 0 for the `count` weakest; among equal ones the first go. Strengths are compared in
/// single precision, in linear time on the CPU.
at::Tensor cut_weakest(const at::Tensor& strengths, int64_t count);

/// Of each `of` consecutive structures the `keep` strongest stay; among equal ones the first go.
at::Tensor cut_quota(const at::Tensor& strengths, int64_t keep, int64_t of);

enum class Rounding { floor, ceil, round };

/// How a share of some structures becomes a number of them.
struct CountRule {
  Rounding rounding = Rounding::floor;
  int64_t group_size = 1;

  /// How many of `structures` go: rounded, then rounded to a multiple of group_size; never all of them.
  int64_t removed(int64_t structures, double share) const;
};

/// Removes the weakest, as many as the rule makes of the share.
at::Tensor cut_share(const at::Tensor& strengths, double share, const CountRule& rule = {});

}  // namespace compress::prune
