#pragma once

#include "analysis/granularity.h"

namespace compress::analysis {

/// Structures that are the indices of one axis of a weight: what filter, channel, row and column have in common.
class AxisStructures : public Granularity {
public:
  explicit AxisStructures(int axis) : axis_(axis) {}
  at::Tensor gather(const at::Tensor& weight) const override;
  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override;
  int axis() const override { return axis_; }

private:
  int axis_;
};

}  // namespace compress::analysis
