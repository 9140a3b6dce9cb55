#pragma once

#include "exec/plan.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

#include <algorithm>

namespace compress::test {

/// The first output of a graph in eval mode, node by node without fusion.
inline at::Tensor output_of(const Graph& graph, const at::Tensor& x) {
  const exec::Plan plan(graph, {.optimize = false});
  return plan.run({&x, 1}).front();
}

/// max|a - b| relative to max(1, max|b|).
inline double relative_difference(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  return (a - b).abs().max().item<double>() / std::max(1.0, b.abs().max().item<double>());
}

}  // namespace compress::test
