#include "exec/rounded_addition.h"

#include "exec/output_grid.h"
#include "exec/unfused.h"
#include "ops/grid_rounding.h"
#include "ops/parallel.h"
#include "ops/vectorised.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace compress::exec {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Elements in a task: the result does not depend on the number of threads.
constexpr int64_t kTask = 1 << 15;

/// Sixteen numbers a turn, so that the compiler keeps the extremes in one register.
constexpr int64_t kLanes = 16;

COMPRESS_VECTORISED void add_and_watch(const float* __restrict a,
                                       const float* __restrict b,
                                       float* __restrict y,
                                       float floor,
                                       int64_t count,
                                       float* __restrict low,
                                       float* __restrict high) {
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t i = 0; i < whole; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      float v = a[i + k] + b[i + k];
      v = v < floor ? floor : v;
      low[k] = v < low[k] ? v : low[k];
      high[k] = v > high[k] ? v : high[k];
      y[i + k] = v;
    }
  for (int64_t i = whole; i < count; ++i) {
    float v = a[i] + b[i];
    v = v < floor ? floor : v;
    low[0] = v < low[0] ? v : low[0];
    high[0] = v > high[0] ? v : high[0];
    y[i] = v;
  }
}

/// The gradient passes from `above` (not itself) to `below`.
COMPRESS_VECTORISED void round_and_note(
    float* __restrict y, uint8_t* __restrict passes, ops::Rounding rounding, float above, float below, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const float v = y[i];
    passes[i] = static_cast<uint8_t>(v > above) & static_cast<uint8_t>(v <= below);
    y[i] = ops::nearest(v, rounding);
  }
}

COMPRESS_VECTORISED void
pass_where(const float* gradient, const uint8_t* __restrict passes, float* result, int64_t count) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) result[i] = passes[i] != 0 ? gradient[i] : 0.0f;
}

void in_tasks(int64_t count, const std::function<void(int64_t offset, int64_t count)>& body) {
  ops::run_tasks((count + kTask - 1) / kTask,
                 [&](int64_t task) { body(task * kTask, std::min(kTask, count - task * kTask)); });
}

struct Addition {
  float floor = -std::numeric_limits<float>::infinity();  ///< 0: with ReLU, whose gradient is 0 at 0
  std::function<ops::Rounding(float low, float high)> grid;
};

/// y = max(a + b, floor), and its extremes.
std::pair<float, float> add(const at::Tensor& a, const at::Tensor& b, const at::Tensor& y, float floor) {
  constexpr auto kInfinity = std::numeric_limits<float>::infinity();
  const auto count = y.numel(), tasks = (count + kTask - 1) / kTask;
  std::vector<float> low(static_cast<size_t>(tasks * kLanes), kInfinity), high(low.size(), -kInfinity);
  const auto *first = a.const_data_ptr<float>(), *second = b.const_data_ptr<float>();
  auto* sum = y.mutable_data_ptr<float>();
  in_tasks(count, [&](int64_t offset, int64_t part) {
    const auto lanes = offset / kTask * kLanes;
    add_and_watch(first + offset, second + offset, sum + offset, floor, part, &low[static_cast<size_t>(lanes)],
                  &high[static_cast<size_t>(lanes)]);
  });
  return {*std::ranges::min_element(low), *std::ranges::max_element(high)};
}

struct RoundedAddition : torch::autograd::Function<RoundedAddition> {
  static at::Tensor
  forward(AutogradContext* context, const at::Tensor& a, const at::Tensor& b, const Addition* addition) {
    auto y = at::empty_like(a), passes = at::empty_like(a, at::TensorOptions(at::kByte));
    const auto [low, high] = add(a, b, y, addition->floor);
    const auto rounding = addition->grid(low, high);
    const float above = std::max(addition->floor, std::nextafter((rounding.low - ops::kGridReach) * rounding.scale,
                                                                 -std::numeric_limits<float>::infinity()));
    const float below = (rounding.high + ops::kGridReach) * rounding.scale;
    auto* values = y.mutable_data_ptr<float>();
    auto* bytes = passes.mutable_data_ptr<uint8_t>();
    in_tasks(y.numel(), [&](int64_t offset, int64_t count) {
      round_and_note(values + offset, bytes + offset, rounding, above, below, count);
    });
    context->save_for_backward({passes});
    return y;
  }

  /// Takes the list by reference, so that it can find out that nobody else holds the gradient.
  static variable_list backward(AutogradContext* context, variable_list& given) {
    const auto passes = context->get_saved_variables()[0];
    if (at::GradMode::is_enabled() || !given[0].is_cpu() || given[0].scalar_type() != at::kFloat) {
      const auto passed = given[0].mul(passes);
      return {passed, passed, {}};
    }
    auto gradient = std::exchange(given[0], {});
    if (gradient.strides() != passes.strides()) gradient = at::empty_like(passes, gradient.options()).copy_(gradient);
    const bool spare = gradient.use_count() == 1 && gradient.storage().use_count() == 1;
    auto passed = spare ? gradient : at::empty_like(gradient);
    const auto* from = gradient.const_data_ptr<float>();
    const auto* bytes = passes.const_data_ptr<uint8_t>();
    auto* to = passed.mutable_data_ptr<float>();
    in_tasks(passed.numel(),
             [&](int64_t offset, int64_t count) { pass_where(from + offset, bytes + offset, to + offset, count); });
    return {passed, passed, {}};
  }
};

bool runs_in_loops(const at::Tensor& a, const at::Tensor& b) {
  const auto suits = [](const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && x.is_non_overlapping_and_dense();
  };
  return suits(a) && suits(b) && a.sizes() == b.sizes() && a.strides() == b.strides();
}

}  // namespace

FusedKernel rounded_addition_kernel(const Group& group) {
  Unfused unfused(group);
  auto inputs = unfused.inputs();
  const auto kernel = [unfused, grid = OutputGrid(*group.quantizer), rectifies = group.activation != nullptr,
                       own = unfused.first_input(*group.quantizer)](ops::Call& call) {
    if (call.mode != ops::Mode::train || !runs_in_loops(call.in(0), call.in(1))) return unfused(call);
    Addition addition{.grid = [&](float low, float high) { return grid.follow(low, high, call.inputs.subspan(own)); }};
    if (rectifies) addition.floor = 0;
    call.out() = RoundedAddition::apply(call.in(0), call.in(1), &addition);
  };
  return {.kernel = kernel, .inputs = std::move(inputs)};
}

}  // namespace compress::exec
