#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

namespace compress::test {

/// Irregular numbers in (-1, 1), the same on each call; another seed, other numbers. Double precision.
inline at::Tensor wild(const Shape& shape, double seed = 0) {
  int64_t count = 1;
  for (const auto size : shape) count *= size;
  return at::arange(count, at::kDouble).mul(12.9898).add(1 + 7.77 * seed).sin().mul(437.5453).frac().reshape(shape);
}

/// The same, between 0.5 and 1.5.
inline at::Tensor wild_positive(const Shape& shape, double seed = 0) {
  return wild(shape, seed).mul(0.5).add(1);
}

inline at::Tensor integers(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}
inline at::Tensor numbers(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

}  // namespace compress::test
