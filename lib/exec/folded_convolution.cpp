#include "exec/folded_convolution.h"

#include "exec/batch_norm_function.h"
#include "exec/normalization.h"
#include "exec/output_grid.h"
#include "exec/unfused.h"
#include "ops/conv_batch_normalization.h"

#include <ATen/ops/batch_norm.h>

#include <optional>

namespace compress::exec {

namespace {

using Folded = ops::FoldedConvolution;

/// What the loops take, where they could run at all.
at::Tensor dense(const at::Tensor& value) {
  return value.is_cpu() && value.dim() == 4 ? value.contiguous(at::MemoryFormat::ChannelsLast) : value;
}

at::Tensor plain_batch_norm(const BatchNormCall& call) {
  return at::batch_norm(call.x, call.gamma, call.beta, call.running_mean, call.running_variance, /*training=*/true,
                        call.momentum, call.epsilon, /*cudnn_enabled=*/true);
}

class FoldedConvolutionStep {
public:
  explicit FoldedConvolutionStep(const Group& group) : unfused_(group), folded_(*group.first) {
    if (group.activation) clamp_ = clamp_of(*group.activation);
    if (group.add) other_ = unfused_.first_input(*group.add);
    if (!group.quantizer) return;
    grid_.emplace(*group.quantizer);
    grid_inputs_ = unfused_.first_input(*group.quantizer);
  }

  const std::vector<std::string>& inputs() const { return unfused_.inputs(); }

  void operator()(ops::Call& call) const {
    if (call.mode != ops::Mode::train) return unfused_(call);
    const auto convolved = folded_.convolve(call);
    const auto step = batch_norm_call(call, dense(convolved.value));
    call.out() = has_loops(step) ? train_batch_norm(step) : unfused_.behind_first(plain_batch_norm(step), call);
    folded_.follow_statistics(call, convolved.plain);
  }

private:
  BatchNormCall batch_norm_call(const ops::Call& call, const at::Tensor& x) const {
    BatchNormCall step{.x = x,
                       .gamma = call.in(Folded::kGamma),
                       .beta = call.in(Folded::kBeta),
                       .running_mean = call.in(Folded::kMean),
                       .running_variance = call.in(Folded::kVariance),
                       .epsilon = folded_.epsilon(),
                       .momentum = folded_.momentum(),
                       .clamp = clamp_};
    if (other_) step.other = dense(call.in(*other_));
    if (grid_)
      step.grid = [this, inputs = call.inputs](float low, float high) {
        return grid_->follow(low, high, inputs.subspan(grid_inputs_));
      };
    return step;
  }

  Unfused unfused_;
  Folded folded_;
  Clamp clamp_;
  std::optional<size_t> other_;
  std::optional<OutputGrid> grid_;
  size_t grid_inputs_ = 0;
};

}  // namespace

bool is_folded_convolution(const Group& group) {
  if (group.first->op != "ConvBatchNormalization") return false;
  const Folded folded(*group.first);
  return folded.scheme() == ops::FoldingScheme::single && !folded.frozen();
}

FusedKernel folded_convolution_kernel(const Group& group) {
  const FoldedConvolutionStep step(group);
  return {.kernel = step, .inputs = step.inputs()};
}

}  // namespace compress::exec
