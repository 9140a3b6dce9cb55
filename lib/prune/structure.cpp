#include "prune/structure.h"

#include "core/error.h"
#include "core/text.h"

#include <ATen/ops/ones_like.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace compress::prune {

namespace {

int64_t rounded(double x, Rounding rounding) {
  switch (rounding) {
  case Rounding::floor: return static_cast<int64_t>(std::floor(x));
  case Rounding::ceil: return static_cast<int64_t>(std::ceil(x));
  case Rounding::round: return static_cast<int64_t>(std::nearbyint(x));
  }
  return 0;
}

}  // namespace

int64_t axis_of(Group group) {
  return group == Group::filters ? 0 : 1;
}

void require_structures(std::string_view parameter, at::IntArrayRef shape, Group group) {
  const auto fail = [&](std::string_view what, std::string_view needs) {
    return request_error("'{}' has no {}: its shape is {}, and {} are those of {}", parameter, what, shape_text(shape),
                         what, needs);
  };
  if (group == Group::filters && shape.size() < 2) throw fail("filters", "a convolution or linear layer");
  if (group == Group::channels && shape.size() < 2) throw fail("channels", "a convolution or linear layer");
  if (group == Group::rows && shape.size() != 2)
    throw fail("rows", "a linear layer").hint("group_type: Filters or Channels for a convolution");
}

at::Tensor mean_l1(const at::Tensor& weight, Group group) {
  return weight.detach().abs().transpose(0, axis_of(group)).flatten(1).mean(1);
}

at::Tensor rank_and_cut(const at::Tensor& strengths, int64_t count) {
  auto map = at::ones_like(strengths);
  if (count > 0) map.index_fill_(0, strengths.argsort(/*stable=*/true, /*dim=*/0).slice(0, 0, count), 0);
  return map;
}

at::Tensor expand_map(const at::Tensor& map, at::IntArrayRef shape, Group group) {
  std::vector<int64_t> along(shape.size(), 1);
  along[static_cast<size_t>(axis_of(group))] = map.numel();
  return map.view(along).expand(shape);
}

int64_t structures_to_remove(int64_t structures, double share, int64_t group_size, Rounding rounding) {
  auto count = rounded(share * static_cast<double>(structures), rounding);
  count = rounded(static_cast<double>(count) / static_cast<double>(group_size), rounding) * group_size;
  while (count >= structures) count -= group_size;
  return std::max<int64_t>(count, 0);
}

}  // namespace compress::prune
