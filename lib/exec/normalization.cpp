#include "exec/normalization.h"

#include "exec/batch_norm_function.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace compress::exec {

namespace {

/// x, gamma, beta, mean, variance and, with addition, the other addend.
constexpr size_t kOther = 5;

Clamp clamp_of(const Node& activation) {
  const auto fused = ops::op_of(activation).fused(activation);
  if (fused->name == "relu") return kRelu;
  const auto low = static_cast<float>(fused->scalars.at(0)), high = static_cast<float>(fused->scalars.at(1));
  return Clamp{.low = low, .high = high};
}

/// The operators' own kernels in a row.
class Plain {
public:
  explicit Plain(const Group& group) {
    normalize_ = kernel_of(group.first);
    add_ = kernel_of(group.add);
    activate_ = kernel_of(group.activation);
  }

  void operator()(ops::Call& call) const {
    at::Tensor value = run(normalize_, call.inputs.first(kOther), call.mode);
    if (add_) {
      const at::Tensor* inputs[] = {&value, call.inputs[kOther]};
      value = run(add_, inputs, call.mode);
    }
    if (activate_) {
      const at::Tensor* inputs[] = {&value};
      value = run(activate_, inputs, call.mode);
    }
    call.out() = value;
  }

private:
  static ops::Kernel kernel_of(const Node* node) { return node ? ops::op_of(*node).kernel(*node) : ops::Kernel(); }
  static at::Tensor run(const ops::Kernel& kernel, std::span<const at::Tensor* const> inputs, ops::Mode mode) {
    at::Tensor result;
    ops::Call call{.inputs = inputs, .outputs = {&result, 1}, .mode = mode};
    kernel(call);
    return result;
  }

  ops::Kernel normalize_, add_, activate_;
};

BatchNormCall batch_norm_call(const ops::Call& call, const BatchNormCall& constants) {
  BatchNormCall filled = constants;
  filled.x = call.in(0);
  filled.gamma = call.in(1);
  filled.beta = call.in(2);
  filled.running_mean = call.in(3);
  filled.running_variance = call.in(4);
  filled.other = call.in_or_none(kOther);
  return filled;
}

}  // namespace

bool is_normalization(const Group& group) {
  return group.first->op == "BatchNormalization";
}

FusedKernel normalization_kernel(const Group& group) {
  BatchNormCall constants;
  constants.epsilon = group.first->attributes.number("epsilon", 1e-5);
  constants.momentum = 1 - group.first->attributes.number("momentum", 0.9);
  if (group.activation) constants.clamp = clamp_of(*group.activation);
  auto inputs = group.first->inputs;
  if (group.add) inputs.push_back(group.other);
  return {.kernel =
              [constants, plain = Plain(group)](ops::Call& call) {
                const auto filled = batch_norm_call(call, constants);
                if (!has_loops(filled))
                  plain(call);
                else if (call.mode == ops::Mode::train)
                  call.out() = train_batch_norm(filled);
                else if (!at::GradMode::is_enabled())
                  call.out() = eval_batch_norm(filled);
                else
                  plain(call);
              },
          .inputs = std::move(inputs)};
}

}  // namespace compress::exec
