#include "exec/batch_norm_function.h"

#include "ops/grid_rounding.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace compress::exec {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Extent extent_of(const at::Tensor& x) {
  return {x.numel() / x.size(1), x.size(1)};
}

bool is_row_major(const at::Tensor& x) {
  const bool dense = x.dim() == 4 ? x.is_contiguous(at::MemoryFormat::ChannelsLast) : x.dim() == 2 && x.is_contiguous();
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && dense;
}

bool is_vector(const at::Tensor& tensor) {
  return tensor.defined() && tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.dim() == 1 &&
         tensor.is_contiguous();
}

PerChannel copy(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<float>();
  return {data, data + tensor.numel()};
}

PerChannel narrow(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

Affine affine_of(const BatchNormCall& call, const std::vector<double>& mean, const std::vector<double>& inverse) {
  Affine affine{copy(call.gamma), copy(call.beta)};
  for (size_t c = 0; c < mean.size(); ++c) {
    affine.scale[c] = static_cast<float>(affine.scale[c] * inverse[c]);
    affine.shift[c] = static_cast<float>(affine.shift[c] - mean[c] * affine.scale[c]);
  }
  return affine;
}

std::vector<double> inverse_deviation(const std::vector<double>& variance, double epsilon) {
  std::vector<double> inverse;
  for (const double value : variance) inverse.push_back(1 / std::sqrt(value + epsilon));
  return inverse;
}

/// PyTorch keeps the variance corrected for the sample size.
void update_running(const BatchNormCall& call, const Moments& batch, int64_t rows) {
  const double correction = static_cast<double>(rows) / static_cast<double>(std::max<int64_t>(1, rows - 1));
  const auto blend = [&](const at::Tensor& running, const std::vector<double>& values, double factor) {
    auto* data = running.data_ptr<float>();
    for (size_t c = 0; c < values.size(); ++c)
      data[c] = static_cast<float>(call.momentum * values[c] * factor + (1 - call.momentum) * data[c]);
    running.unsafeGetTensorImpl()->bump_version();
  };
  blend(call.running_mean, batch.mean, 1);
  blend(call.running_variance, batch.variance, correction);
}

const float* data_or_null(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

at::Tensor apply_affine(const BatchNormCall& call, const Affine& affine) {
  auto y = at::empty_like(call.x);
  normalize(call.x.const_data_ptr<float>(), data_or_null(call.other), y.data_ptr<float>(), extent_of(call.x), affine,
            call.clamp);
  return y;
}

/// What the grid is made for: x's extremes go through the affine function and the clamp, which both keep their order.
ops::Rounding rounding_of(const BatchNormCall& call, const Affine& affine, const ChannelExtremes& extremes) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (size_t c = 0; c < affine.scale.size(); ++c)
    for (const float x : {extremes.low[c], extremes.high[c]}) {
      const float v = std::clamp(x * affine.scale[c] + affine.shift[c], call.clamp.low, call.clamp.high);
      low = std::min(low, v);
      high = std::max(high, v);
    }
  return call.grid(low, high);
}

at::Tensor apply_rounded_affine(const BatchNormCall& call, const Affine& affine, ops::Rounding rounding) {
  auto y = at::empty_like(call.x);
  normalize(call.x.const_data_ptr<float>(), y.mutable_data_ptr<float>(), extent_of(call.x), affine, call.clamp,
            rounding);
  return y;
}

/// The gradient passes where clamp and grid both let it.
Clamp with_reach(Clamp clamp, ops::Rounding rounding) {
  clamp.gate_low = std::max(clamp.gate_low, (rounding.low - ops::kGridReach) * rounding.scale);
  clamp.gate_high = std::min(clamp.gate_high, (rounding.high + ops::kGridReach) * rounding.scale);
  return clamp;
}

/// What backward needs besides tensors.
struct Saved : torch::CustomClassHolder {
  std::vector<double> mean, inverse;
  Affine affine;
  Clamp clamp;
  double epsilon = 0;
  bool added = false;

  bool clamps() const {
    return clamp.gate_low > -std::numeric_limits<float>::infinity() || std::isfinite(clamp.gate_high);
  }
};

struct Gradients {
  at::Tensor x, gamma, beta, other;
};

/// A tensor whose memory may be written: nobody else holds it.
bool is_spare(const at::Tensor& gradient) {
  return gradient.use_count() == 1 && gradient.storage().use_count() == 1;
}

at::Tensor like_x(const at::Tensor& gradient, const at::Tensor& x) {
  return x.dim() == 4 ? gradient.contiguous(at::MemoryFormat::ChannelsLast) : gradient.contiguous();
}

at::Tensor as_tensor(const std::vector<double>& values, const at::Tensor& like) {
  auto tensor = at::empty_like(like);
  std::ranges::copy(values, tensor.data_ptr<float>());
  return tensor;
}

/// dx = gamma / deviation * (g - mean(g) - normal * mean(g * normal)), normal = (x - mean) / deviation
GradientLine gradient_line(const Saved& saved, const GradientSums& sums, const PerChannel& gamma, int64_t rows) {
  GradientLine line{.mean = narrow(saved.mean), .a = gamma, .b = gamma, .c = gamma};
  for (size_t c = 0; c < gamma.size(); ++c) {
    const double inverse = saved.inverse[c], a = gamma[c] * inverse;
    line.a[c] = static_cast<float>(a);
    line.b[c] = static_cast<float>(-a * inverse * inverse * sums.product[c] / static_cast<double>(rows));
    line.c[c] = static_cast<float>(-a * sums.gradient[c] / static_cast<double>(rows));
  }
  return line;
}

/// `y` is defined when an addition stands before the clamp: then the result tells where the gradient passes. Memory
/// that only `given` holds is written over.
Gradients fast_backward(at::Tensor& given,
                        const at::Tensor& x,
                        const at::Tensor& gamma,
                        const at::Tensor& y,
                        const Saved& saved,
                        bool needs_other) {
  auto gradient = like_x(std::exchange(given, {}), x);
  const bool spare = is_spare(gradient);
  const auto extent = extent_of(x);
  const auto* input = x.const_data_ptr<float>();
  const bool added = y.defined();
  auto passed = added && !spare ? at::empty_like(x) : gradient;
  const auto* source = gradient.const_data_ptr<float>();
  const auto sums = added ? pass_gradient(source, y.const_data_ptr<float>(), input, passed.mutable_data_ptr<float>(),
                                          extent, narrow(saved.mean), saved.clamp)
                          : sum_gradient(source, input, extent, narrow(saved.mean), saved.affine, saved.clamp);
  const bool overwrite = (spare || added) && !needs_other;
  auto dx = overwrite ? passed : at::empty_like(x);
  const bool gate_again = !added && saved.clamps();
  input_gradient(passed.const_data_ptr<float>(), input, dx.mutable_data_ptr<float>(), extent,
                 gradient_line(saved, sums, copy(gamma), extent.rows), gate_again ? &saved.affine : nullptr,
                 saved.clamp);
  auto product = sums.product;
  for (size_t c = 0; c < product.size(); ++c) product[c] *= saved.inverse[c];
  return {.x = dx,
          .gamma = as_tensor(product, gamma),
          .beta = as_tensor(sums.gradient, gamma),
          .other = needs_other ? passed : at::Tensor()};
}

/// The same from operations that are differentiable themselves, for second derivatives.
Gradients differentiable_backward(
    const at::Tensor& given, const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& y, const Saved& saved) {
  std::vector<int64_t> rows{0}, shape{1, -1};
  if (x.dim() == 4) rows = {0, 2, 3}, shape = {1, -1, 1, 1};
  const auto constant = [&](const PerChannel& values) {
    return as_tensor({values.begin(), values.end()}, gamma.detach()).view(shape);
  };
  const auto value =
      y.defined() ? y.detach() : x.detach() * constant(saved.affine.scale) + constant(saved.affine.shift);
  const auto gradient = given * (value.ge(saved.clamp.gate_low) * value.le(saved.clamp.gate_high));
  const auto centred = x - x.mean(rows, /*keepdim=*/true);
  const auto inverse = (centred.square().mean(rows, true) + saved.epsilon).rsqrt();
  const auto normal = centred * inverse;
  const auto product = gradient * normal;
  return {.x = gamma.view(shape) * inverse * (gradient - gradient.mean(rows, true) - normal * product.mean(rows, true)),
          .gamma = product.sum(rows),
          .beta = gradient.sum(rows),
          .other = gradient};
}

struct TrainBatchNorm : torch::autograd::Function<TrainBatchNorm> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const at::Tensor& gamma,
                            const at::Tensor&,
                            const std::optional<at::Tensor>& other,
                            const BatchNormCall* call) {
    ChannelExtremes extremes;
    const auto* data = x.const_data_ptr<float>();
    const auto batch = call->grid ? moments(data, extent_of(x), extremes) : moments(data, extent_of(x));
    update_running(*call, batch, extent_of(x).rows);
    auto saved = c10::make_intrusive<Saved>();
    saved->mean = batch.mean;
    saved->inverse = inverse_deviation(batch.variance, call->epsilon);
    saved->affine = affine_of(*call, saved->mean, saved->inverse);
    saved->clamp = call->clamp;
    saved->epsilon = call->epsilon;
    saved->added = other.has_value();
    at::Tensor y;
    if (call->grid) {
      const auto rounding = rounding_of(*call, saved->affine, extremes);
      saved->clamp = with_reach(call->clamp, rounding);
      y = apply_rounded_affine(*call, saved->affine, rounding);
    } else {
      y = apply_affine(*call, saved->affine);
    }
    context->save_for_backward({x, gamma, saved->added && saved->clamps() ? y : at::Tensor()});
    context->saved_data["saved"] = at::IValue::make_capsule(std::move(saved));
    return y;
  }

  /// Takes the list by reference, so that it can find out that nobody else holds the gradient.
  static variable_list backward(AutogradContext* context, variable_list& given) {
    const auto tensors = context->get_saved_variables();
    const auto capsule = context->saved_data["saved"].toCapsule();
    const auto& saved = static_cast<const Saved&>(*capsule);
    const bool needs_other = saved.added && context->needs_input_grad(3);
    const auto gradients = at::GradMode::is_enabled()
                               ? differentiable_backward(given[0], tensors[0], tensors[1], tensors[2], saved)
                               : fast_backward(given[0], tensors[0], tensors[1], tensors[2], saved, needs_other);
    return {gradients.x, gradients.gamma, gradients.beta, needs_other ? gradients.other : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

bool has_loops(const BatchNormCall& call) {
  if (!is_row_major(call.x) || !is_vector(call.gamma) || !is_vector(call.beta)) return false;
  if (!is_vector(call.running_mean) || !is_vector(call.running_variance)) return false;
  return !call.other.defined() || (is_row_major(call.other) && call.other.sizes() == call.x.sizes());
}

at::Tensor train_batch_norm(const BatchNormCall& call) {
  const auto other = call.other.defined() ? std::optional(call.other) : std::nullopt;
  return TrainBatchNorm::apply(call.x, call.gamma, call.beta, other, &call);
}

at::Tensor eval_batch_norm(const BatchNormCall& call) {
  const auto wide = [](const PerChannel& values) { return std::vector<double>(values.begin(), values.end()); };
  const auto inverse = inverse_deviation(wide(copy(call.running_variance)), call.epsilon);
  return apply_affine(call, affine_of(call, wide(copy(call.running_mean)), inverse));
}

}  // namespace compress::exec
