#include "exec/linear.h"

#include "exec/pointwise.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>

namespace compress::exec {

namespace {

using LinearPointwise = at::Tensor(const at::Tensor& x,
                                   const at::Tensor& weight,
                                   const pointwise::Bias& bias,
                                   std::string_view activation,
                                   pointwise::Scalars scalars,
                                   pointwise::Word algorithm);

/// Below, the ordinary product is faster than getting oneDNN started.
constexpr int64_t kSmallestWeight = 4096;
/// Packing wants to know the batch; any other runs too.
constexpr int64_t kTypicalBatch = 64;

struct LinearOperators {
  c10::TypedOperatorHandle<LinearPointwise> run = pointwise::find<LinearPointwise>("mkldnn::_linear_pointwise", "");
  c10::OperatorHandle reorder = pointwise::find("mkldnn::_reorder_linear_weight");
};

const LinearOperators* linear_operators() {
  static const auto found = pointwise::if_present<LinearOperators>();
  return found ? &*found : nullptr;
}

at::Tensor pack_linear(const at::Tensor& weight) {
  torch::jit::Stack stack{weight.contiguous(), kTypicalBatch};
  linear_operators()->reorder.callBoxed(stack);
  return stack.front().toTensor();
}

}  // namespace

bool can_pack_linear(const Node& node, const Constants& constants) {
  if (node.op != "Gemm" || !linear_operators() || !has_known_weights(node, constants)) return false;
  const auto& attributes = node.attributes;
  const bool canonical = attributes.integer("transA", 0) == 0 && attributes.integer("transB", 0) != 0 &&
                         attributes.number("alpha", 1) == 1 && attributes.number("beta", 1) == 1;
  const auto weight = constants(node.inputs[1]);
  const bool fits = weight.dim() == 2 && weight.numel() >= kSmallestWeight;
  return canonical && fits && (!node.has_input(2) || constants(node.inputs[2]).sizes() == weight.sizes().slice(0, 1));
}

FusedKernel linear_kernel(const Group& group, const Constants& constants) {
  const at::NoGradGuard no_grad;
  const auto weights = folded_weights(group, constants);
  const auto bias = weights.bias.defined() ? pointwise::Bias(weights.bias.detach().clone()) : std::nullopt;
  const pointwise::Activation activation(activation_of(group));
  return {.kernel =
              [weight = pack_linear(weights.weight.detach()), bias, activation](ops::Call& call) {
                call.out() = linear_operators()->run.call(call.in(0).contiguous(), weight, bias, activation.name(),
                                                          activation.scalars(), activation.algorithm());
              },
          .inputs = {group.first->inputs[0]}};
}

}  // namespace compress::exec
