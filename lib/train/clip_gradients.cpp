#include "train/clip_gradients.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_clamp_max.h>
#include <ATen/ops/_foreach_clamp_min.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>

namespace compress::train {

namespace {

/// Keeps the division finite when all gradients are zero.
constexpr double kTiny = 1e-6;

}  // namespace

std::vector<at::Tensor> gradients(const Graph& graph) {
  std::vector<at::Tensor> all;
  for (const Parameter& parameter : graph.parameters())
    if (const auto& gradient = parameter.value.grad(); gradient.defined()) all.push_back(gradient);
  return all;
}

void clip_by_norm(const std::vector<at::Tensor>& gradients, double max_norm) {
  if (gradients.empty()) return;
  const at::NoGradGuard no_grad;
  const auto norm = at::stack(at::_foreach_norm(gradients, 2)).norm();
  at::_foreach_mul_(gradients, norm.add(kTiny).reciprocal().mul(max_norm).clamp_max(1));
}

void clip_by_value(const std::vector<at::Tensor>& gradients, double limit) {
  if (gradients.empty()) return;
  const at::NoGradGuard no_grad;
  at::_foreach_clamp_min_(gradients, -limit);
  at::_foreach_clamp_max_(gradients, limit);
}

}  // namespace compress::train
