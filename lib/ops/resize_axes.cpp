#include "core/text.h"
#include "ops/resize.h"
#include "ops/shape.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::ops {

namespace {

constexpr int64_t kLargestSize = int64_t{1} << 32;

void require_entries(std::string_view name, size_t count, size_t needed) {
  if (count != needed) throw request_error("'{}' has {} entries, but {} are needed", name, count, needed);
}

/// Sizes as stated; with an aspect ratio to keep, one scale for all axes, by which the result fits inside or around.
void set_sizes(const Node& node, const Shape& axes, std::vector<ResizedAxis>& resized) {
  const auto sizes = node.attributes.integers("sizes", {});
  require_entries("sizes", sizes.size(), axes.size());
  const auto policy = node.attributes.text("keep_aspect_ratio_policy", "stretch");
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    auto& axis = resized[static_cast<size_t>(axes[i])];
    if (sizes[i] < 0 || sizes[i] > kLargestSize || axis.in < 1)
      throw request_error("an axis of size {} cannot get the size {}", axis.in, sizes[i]);
    axis.out = sizes[i] == 0 ? axis.in : sizes[i];
    axis.scale = static_cast<double>(axis.out) / static_cast<double>(axis.in);
    least = std::min(least, axis.scale);
    most = std::max(most, axis.scale);
  }
  if (policy == "stretch") return;
  for (const auto i : axes) {
    auto& axis = resized[static_cast<size_t>(i)];
    axis.scale = policy == "not_larger" ? least : most;
    axis.out = static_cast<int64_t>(std::floor(axis.width() + 0.5));
  }
}

void set_scales(const Node& node, const Shape& axes, std::vector<ResizedAxis>& resized) {
  const auto scales = node.attributes.numbers("scales", {});
  require_entries("scales", scales.size(), axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    auto& axis = resized[static_cast<size_t>(axes[i])];
    if (!(scales[i] > 0) || !(scales[i] * static_cast<double>(axis.in) < static_cast<double>(kLargestSize)))
      throw request_error("'scales' has the entry {}, it must be positive and not absurd", scales[i]);
    axis.scale = scales[i];
    axis.out = static_cast<int64_t>(std::floor(axis.width()));
  }
}

void set_region(const Node& node, const Shape& axes, std::vector<ResizedAxis>& resized) {
  const auto roi = node.attributes.numbers("roi", {});
  if (node.attributes.text("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize") return;
  require_entries("roi", roi.size(), 2 * axes.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    resized[static_cast<size_t>(axes[i])].begin = roi[i];
    resized[static_cast<size_t>(axes[i])].end = roi[axes.size() + i];
  }
}

}  // namespace

Shape stated_axes(const Node& node, size_t rank) {
  Shape all(rank);
  for (size_t i = 0; i < rank; ++i) all[i] = static_cast<int64_t>(i);
  auto axes = node.attributes.integers("axes", {});
  return axes.empty() ? all : axes_of(std::move(axes), static_cast<int64_t>(rank));
}

std::vector<ResizedAxis> resized_axes_of(const Node& node, const Shape& shape) {
  std::vector<ResizedAxis> resized;
  for (const auto size : shape) resized.push_back({.in = size, .out = size});
  const auto axes = stated_axes(node, shape.size());
  const bool by_size = !node.attributes.integers("sizes", {}).empty();
  if (by_size == !node.attributes.numbers("scales", {}).empty())
    throw request_error("a Resize needs either 'scales' or 'sizes'");
  by_size ? set_sizes(node, axes, resized) : set_scales(node, axes, resized);
  set_region(node, axes, resized);
  for (const auto& axis : resized)
    if (axis.out < 1 || axis.in < 1)
      throw request_error("nothing is left of an axis of size {} scaled by {}", axis.in, axis.scale);
  return resized;
}

}  // namespace compress::ops
