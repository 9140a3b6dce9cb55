#include "quant/lapq/clip_space.h"

#include <ATen/core/grad_mode.h>

#include <limits>

namespace compress::quant {

namespace {

constexpr double kLeastFactor = 0.05, kGreatestFactor = 3, kFactorStep = 0.1;

bool is_zero(const at::Tensor& end) {
  return !end.ne(0).any().item<bool>();
}

}  // namespace

ClipSpace::ClipSpace(Graph& graph, const std::vector<QuantizerClip>& clips, bool each_end) : graph_(graph) {
  for (const auto& clip : clips) {
    const auto range = clip_range(graph, clip);
    const bool low = !is_zero(range.min), high = !is_zero(range.max);
    if (!low && !high) continue;
    if (each_end && !clip.spec.symmetric && low && high) {
      axes_.push_back({clips_.size(), true, false});
      axes_.push_back({clips_.size(), false, true});
    } else {
      axes_.push_back({clips_.size(), true, true});
    }
    clips_.push_back({clip, {range.min.clone(), range.max.clone()}});
  }
  point_ = Point(size(), std::numeric_limits<double>::quiet_NaN());
}

Region ClipSpace::region() const {
  return {Point(size(), kLeastFactor), Point(size(), kGreatestFactor), Point(size(), kFactorStep)};
}

std::vector<std::string> ClipSpace::set(const Point& point) {
  const at::NoGradGuard no_grad;
  std::vector<std::string> written;
  for (size_t i = 0; i < axes_.size();) {
    const auto clip = axes_[i].clip;
    double low = 1, high = 1;
    bool moved = false;
    for (; i < axes_.size() && axes_[i].clip == clip; ++i) {
      if (axes_[i].low) low = point[i];
      if (axes_[i].high) high = point[i];
      moved = moved || point[i] != point_[i];
    }
    if (!moved) continue;
    const auto& placed = clips_[clip];
    set_clip_range(graph_, placed.clip, {placed.range.min.mul(low), placed.range.max.mul(high)});
    written.push_back(placed.clip.scale);
    written.push_back(placed.clip.zero_point);
  }
  point_ = point;
  return written;
}

}  // namespace compress::quant
