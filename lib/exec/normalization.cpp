#include "exec/normalization.h"

#include "exec/batch_norm_function.h"
#include "exec/unfused.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace compress::exec {

namespace {

/// x, gamma, beta, mean, variance and, with addition, the other addend.
constexpr size_t kOther = 5;

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

Clamp clamp_of(const Node& activation) {
  const auto fused = ops::op_of(activation).fused(activation);
  if (fused->name == "relu") return kRelu;
  const auto low = static_cast<float>(fused->scalars.at(0)), high = static_cast<float>(fused->scalars.at(1));
  return Clamp{.low = low, .high = high};
}

bool is_normalization(const Group& group) {
  return group.first->op == "BatchNormalization";
}

FusedKernel normalization_kernel(const Group& group) {
  BatchNormCall constants;
  constants.epsilon = group.first->attributes.number("epsilon", 1e-5);
  constants.momentum = 1 - group.first->attributes.number("momentum", 0.9);
  if (group.activation) constants.clamp = clamp_of(*group.activation);
  Unfused plain(group);
  auto inputs = plain.inputs();
  return {.kernel =
              [constants, plain = std::move(plain),
               frozen = group.first->attributes.integer("frozen", 0) != 0](ops::Call& call) {
                const auto filled = batch_norm_call(call, constants);
                if (!has_loops(filled))
                  plain(call);
                else if (call.mode == ops::Mode::train && !frozen)
                  call.out() = train_batch_norm(filled);
                else if (!at::GradMode::is_enabled())
                  call.out() = eval_batch_norm(filled);
                else
                  plain(call);
              },
          .inputs = std::move(inputs)};
}

}  // namespace compress::exec
