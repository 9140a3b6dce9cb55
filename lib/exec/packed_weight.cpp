#include "exec/packed_weight.h"

#include "exec/pointwise.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>

namespace compress::exec {

namespace {

/// The slices of a batch come in two sizes.
constexpr size_t kKept = 2;

}  // namespace

PackedWeight::PackedWeight(const at::Tensor& weight, ops::Window window, int64_t groups)
    : window_(std::move(window)),
      groups_(groups), recent_{{Shape{}, weight.detach().clone(at::MemoryFormat::ChannelsLast)}} {}

at::Tensor PackedWeight::for_input(at::IntArrayRef size) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(recent_, [&](const auto& packed) { return size == packed.first; });
  if (found != recent_.end()) {
    std::rotate(recent_.begin(), found, found + 1);
    return recent_.front().second;
  }
  const auto known = recent_.front().second;
  recent_.insert(recent_.begin(), {size.vec(), pack(known.is_mkldnn() ? known.to_dense() : known, size)});
  if (recent_.size() > kKept || recent_.back().first.empty()) recent_.pop_back();
  return recent_.front().second;
}

at::Tensor PackedWeight::pack(const at::Tensor& weight, at::IntArrayRef size) const {
  static const auto reorder = pointwise::find("mkldnn::_reorder_convolution_weight");
  torch::jit::Stack stack{weight.contiguous(at::MemoryFormat::ChannelsLast),
                          window_.begin,
                          window_.strides,
                          window_.dilations,
                          groups_,
                          size.vec()};
  reorder.callBoxed(stack);
  return stack.front().toTensor();
}

}  // namespace compress::exec
