#pragma once

#include "run_op.h"
#include "tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

namespace compress::test {

/// A weighted sum of all outputs, so that one number depends on each of them; inputs are cloned because training writes
/// statistics.
inline at::Tensor
weighted_sum(const Node& node, std::vector<at::Tensor> inputs, ops::Mode mode, const std::set<size_t>& untouched) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && !untouched.contains(i)) inputs[i] = inputs[i].clone();
  at::Tensor sum;
  double seed = 3;
  for (const auto& output : run_op(node, inputs, mode)) {
    const auto term = output.mul(wild(output.sizes().vec(), seed++)).sum();
    sum = sum.defined() ? sum.add(term) : term;
  }
  return sum;
}

/// Requires that autograd's gradients of the node's inputs (double precision; integers and `constants` left out) are
/// the central differences.
inline void check_gradients(const Node& node,
                            const std::vector<at::Tensor>& given,
                            ops::Mode mode = ops::Mode::eval,
                            const std::set<size_t>& constants = {},
                            double tolerance = 1e-6) {
  constexpr double kStep = 1e-6;
  constexpr int64_t kProbes = 20;  // elements tried of a large input
  std::vector<at::Tensor> inputs = given;
  std::set<size_t> leaves;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !inputs[i].is_floating_point() || constants.contains(i)) continue;
    inputs[i] = inputs[i].detach().clone().requires_grad_(true);
    leaves.insert(i);
  }
  weighted_sum(node, inputs, mode, leaves).backward();
  const at::NoGradGuard no_grad;
  for (const auto i : leaves) {
    REQUIRE(inputs[i].grad().defined());
    const auto gradient = inputs[i].grad().contiguous().flatten();
    auto elements = inputs[i].detach().flatten();
    const auto stride = std::max<int64_t>(1, elements.numel() / kProbes);
    for (int64_t k = 0; k < elements.numel(); k += stride) {
      auto element = elements[k];
      const auto value = element.item<double>();
      element.fill_(value + kStep);
      const auto above = weighted_sum(node, inputs, mode, {}).item<double>();
      element.fill_(value - kStep);
      const auto below = weighted_sum(node, inputs, mode, {}).item<double>();
      element.fill_(value);
      const auto expected = (above - below) / (2 * kStep);
      INFO(node.op << ": input " << i << ", element " << k);
      REQUIRE(gradient[k].item<double>() == Approx(expected).margin(tolerance).epsilon(tolerance));
    }
  }
}

}  // namespace compress::test
