#include "analysis/activation_statistics.h"

#include "core/error.h"
#include "core/text.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>

namespace compress::analysis {

namespace {

/// [3, channels]: the sums over the batch of what each sample has.
at::Tensor batch_sums(const at::Tensor& value, int64_t axis) {
  const at::Tensor channels = value.movedim(axis, 0).flatten(1);
  const auto positions = static_cast<double>(value.numel()) / static_cast<double>(value.size(0) * value.size(axis));
  return at::stack({channels.ne(0).sum(1, false, at::kDouble) / positions,
                    channels.sum(1, false, at::kDouble) / positions, channels.abs().sum(1, false, at::kDouble)});
}

}  // namespace

void ActivationStatistics::add(const at::Tensor& value) {
  const int64_t axis = axis_ < 0 ? axis_ + value.dim() : axis_;
  if (axis < 1 || axis >= value.dim())
    throw run_error("a value of shape {} has no channels on axis {}", shape_text(value.sizes()), axis_);
  if (sums_.defined() && sums_.size(1) != value.size(axis))
    throw run_error("statistics of {} channels were given a value with {}", sums_.size(1), value.size(axis));
  if (value.numel() == 0) return;
  const at::Tensor sums = batch_sums(value.detach(), axis);
  sums_ = sums_.defined() ? sums_ + sums : sums;
  samples_ += value.size(0);
}

ChannelActivations ActivationStatistics::values() const {
  if (samples_ == 0) throw run_error("no activations were seen").hint("the data has no samples");
  const at::Tensor means = sums_ / static_cast<double>(samples_);
  const at::Tensor apoz = 100 - 100 * means[0];
  return {.apoz = apoz, .mean = means[1], .l1 = means[2], .sparsity = apoz.mean().item<double>(), .samples = samples_};
}

std::map<std::string, at::Tensor> ActivationStatistics::state() const {
  if (!sums_.defined()) return {};
  return {{"sums", sums_}, {"samples", at::full({}, samples_, at::kLong)}};
}

void ActivationStatistics::load(const std::map<std::string, at::Tensor>& state) {
  const auto sums = state.find("sums"), samples = state.find("samples");
  sums_ = sums == state.end() ? at::Tensor() : sums->second;
  samples_ = samples == state.end() ? 0 : samples->second.item<int64_t>();
}

}  // namespace compress::analysis
