#include "ops/resize.h"

#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_linear1d.h>
#include <ATen/ops/upsample_nearest1d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <ATen/ops/upsample_nearest3d.h>
#include <ATen/ops/upsample_trilinear3d.h>

#include <algorithm>
#include <cmath>

namespace compress::ops {

namespace {

using Sizes = std::vector<int64_t>;

/// LibTorch interpolates the axes behind the first two, to whole sizes.
bool torch_can_resize(const at::Tensor& x, const std::vector<ResizedAxis>& axes) {
  if (!x.is_floating_point() || x.dim() < 3 || x.dim() > 5) return false;
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].width() != static_cast<double>(axes[i].out) || (i < 2 && axes[i].in != axes[i].out)) return false;
  return true;
}

/// Whether LibTorch, which scales indices in 32 bits and rounds down, picks the same ones.
bool picks_the_same(const ResizeRule& rule, const ResizedAxis& axis) {
  const auto taps = taps_of(rule, axis);
  const auto ratio = static_cast<float>(axis.in) / static_cast<float>(axis.out);
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto picked = std::min(static_cast<int64_t>(std::floor(static_cast<float>(o) * ratio)), axis.in - 1);
    if (picked != taps.index[static_cast<size_t>(o)]) return false;
  }
  return true;
}

at::Tensor torch_nearest(const at::Tensor& x, const Sizes& sizes) {
  switch (sizes.size()) {
  case 1: return at::upsample_nearest1d(x, sizes);
  case 2: return at::upsample_nearest2d(x, sizes);
  default: return at::upsample_nearest3d(x, sizes);
  }
}

at::Tensor torch_linear(const at::Tensor& x, const Sizes& sizes, bool align_corners) {
  switch (sizes.size()) {
  case 1: return at::upsample_linear1d(x, sizes, align_corners);
  case 2: return at::upsample_bilinear2d(x, sizes, align_corners);
  default: return at::upsample_trilinear3d(x, sizes, align_corners);
  }
}

}  // namespace

std::optional<at::Tensor>
resized_by_torch(const at::Tensor& x, const ResizeRule& rule, const std::vector<ResizedAxis>& axes) {
  if (!torch_can_resize(x, axes) || rule.coordinates == "tf_crop_and_resize") return std::nullopt;
  Sizes sizes;
  for (size_t i = 2; i < axes.size(); ++i) sizes.push_back(axes[i].out);
  if (rule.mode == "nearest") {
    const auto same = [&](const ResizedAxis& axis) { return picks_the_same(rule, axis); };
    return std::all_of(axes.begin() + 2, axes.end(), same) ? std::optional(torch_nearest(x, sizes)) : std::nullopt;
  }
  const bool align_corners = rule.coordinates == "align_corners";
  const bool shrinks_to_one = std::ranges::any_of(axes, [](const auto& axis) { return axis.out == 1 && axis.in > 1; });
  const bool half_pixel = rule.coordinates == "half_pixel" || rule.coordinates == "half_pixel_symmetric" ||
                          (rule.coordinates == "pytorch_half_pixel" && !shrinks_to_one);
  if (!(align_corners || half_pixel) || rule.antialias || rule.exclude_outside) return std::nullopt;
  if (rule.mode == "linear") return torch_linear(x, sizes, align_corners);
  const bool same_cubic = sizes.size() == 2 && rule.cubic_coefficient == -0.75;
  return same_cubic ? std::optional(at::upsample_bicubic2d(x, sizes, align_corners)) : std::nullopt;
}

}  // namespace compress::ops
