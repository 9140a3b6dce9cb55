#include "exec/convolution.h"

#include "exec/memory_format.h"
#include "exec/packed_weight.h"
#include "exec/pointwise.h"
#include "ops/attributes.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>

#include <memory>

namespace compress::exec {

namespace {

using Sizes = at::IntArrayRef;
using pointwise::Bias;
using pointwise::Scalars;
using pointwise::Word;

using Pointwise = at::Tensor(const at::Tensor& x,
                             const at::Tensor& weight,
                             const Bias& bias,
                             Sizes padding,
                             Sizes stride,
                             Sizes dilation,
                             int64_t groups,
                             std::string_view activation,
                             Scalars scalars,
                             Word algorithm);
/// With an operation on a second value in front of the activation.
template <class Result, class First, class Second>
using WithOperand = Result(First,
                           Second,
                           const at::Tensor& weight,
                           const Bias& bias,
                           Sizes padding,
                           Sizes stride,
                           Sizes dilation,
                           int64_t groups,
                           std::string_view operation,
                           std::optional<at::Scalar> alpha,
                           Word activation,
                           Scalars scalars,
                           Word algorithm);
using Binary = WithOperand<at::Tensor, const at::Tensor&, const at::Tensor&>;    // x, other
using BinaryInPlace = WithOperand<at::Tensor&, at::Tensor&, const at::Tensor&>;  // other, x

struct ConvolutionOperators {
  c10::TypedOperatorHandle<Pointwise> plain = pointwise::find<Pointwise>("mkldnn::_convolution_pointwise", "");
  c10::TypedOperatorHandle<Binary> add = pointwise::find<Binary>("mkldnn::_convolution_pointwise", "binary");
  c10::TypedOperatorHandle<BinaryInPlace> add_to =
      pointwise::find<BinaryInPlace>("mkldnn::_convolution_pointwise_", "binary");
  c10::OperatorHandle reorder = pointwise::find("mkldnn::_reorder_convolution_weight");  ///< PackedWeight's
};

const ConvolutionOperators* convolution_operators() {
  static const auto found = pointwise::if_present<ConvolutionOperators>();
  return found ? &*found : nullptr;
}

ops::Window window_of(const Node& node, const at::Tensor& weight) {
  return ops::window_of(node, {weight.size(2), weight.size(3)}, Shape{0, 0});
}

/// Everything one call needs, made once.
class PackedConvolution {
public:
  PackedConvolution(const Group& group, const Constants& constants) : activation_(activation_of(group)) {
    const at::NoGradGuard no_grad;
    const auto weights = folded_weights(group, constants);
    window_ = window_of(*group.first, weights.weight);
    groups_ = group.first->attributes.integer("group", 1);
    weight_ = std::make_shared<PackedWeight>(weights.weight, window_, groups_);
    if (weights.bias.defined()) bias_ = weights.bias.detach().clone();
  }

  at::Tensor plain(const at::Tensor& x) const {
    return convolution_operators()->plain.call(x, weight_->for_input(x.sizes()), bias_, window_.begin, window_.strides,
                                               window_.dilations, groups_, activation_.name(), activation_.scalars(),
                                               activation_.algorithm());
  }
  at::Tensor add(const at::Tensor& x, const at::Tensor& other) const {
    return convolution_operators()->add.call(
        x, other, weight_->for_input(x.sizes()), bias_, window_.begin, window_.strides, window_.dilations, groups_,
        "add", at::Scalar(1), activation_.behind_addition(), activation_.scalars(), activation_.algorithm());
  }
  /// The sum takes the place of `other`.
  void add_to(at::Tensor& other, const at::Tensor& x) const {
    convolution_operators()->add_to.call(other, x, weight_->for_input(x.sizes()), bias_, window_.begin, window_.strides,
                                         window_.dilations, groups_, "add", at::Scalar(1),
                                         activation_.behind_addition(), activation_.scalars(), activation_.algorithm());
  }

private:
  std::shared_ptr<PackedWeight> weight_;
  Bias bias_;
  ops::Window window_;
  int64_t groups_ = 1;
  pointwise::Activation activation_;
};

/// True when nothing but this slot knows the tensor: then the result may take its place.
bool is_unshared(const at::Tensor& tensor) {
  return tensor.use_count() == 1 && tensor.storage().use_count() == 1;
}

}  // namespace

bool can_pack_convolution(const Node& node, const Constants& constants) {
  const bool convolution = node.op == "Conv" || node.op == "ConvBatchNormalization";
  if (!convolution || !convolution_operators() || !has_known_weights(node, constants)) return false;
  const auto weight = constants(node.inputs[1]);
  const auto padding = node.attributes.text("auto_pad", "NOTSET");
  return weight.dim() == 4 && (padding == "NOTSET" || padding == "VALID") && window_of(node, weight).symmetric();
}

FusedKernel convolution_kernel(const Group& group, const Constants& constants) {
  const PackedConvolution convolution(group, constants);
  if (!group.add)
    return {.kernel = [convolution](ops::Call& call) { call.out() = convolution.plain(to_channels_last(call.in(0))); },
            .inputs = {group.first->inputs[0]}};
  const auto add = [convolution](ops::Call& call) {
    call.out() = convolution.add(to_channels_last(call.in(0)), to_channels_last(call.in(1)));
  };
  // A caller that keeps the value for later (prefix reuse, observers), or a view of it, is seen from the reference
  // counts.
  const auto add_over = [convolution, add](ops::Call& call) {
    if (!is_unshared(call.in(1))) return add(call);
    call.out() = to_channels_last(call.in(1));
    convolution.add_to(call.out(), to_channels_last(call.in(0)));
  };
  return {.kernel = add, .inputs = {group.first->inputs[0], group.other}, .overwriting = add_over};
}

}  // namespace compress::exec
