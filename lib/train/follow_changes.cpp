#include "train/follow_changes.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace compress::train {

namespace {

at::Tensor index_tensor(const std::vector<int64_t>& indices, const at::Tensor& like) {
  at::Tensor tensor = at::empty({std::ssize(indices)}, at::kLong);
  std::ranges::copy(indices, tensor.mutable_data_ptr<int64_t>());
  return tensor.to(like.device());
}

}  // namespace

void follow_changes(std::map<std::string, at::Tensor>& tensors, const Changes& changes) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> renamed;
  for (const auto& [from, to] : changes.renamed)
    if (auto node = tensors.extract(from)) renamed[to] = std::move(node.mapped());
  tensors.merge(renamed);
  for (const auto& name : changes.removed) tensors.erase(name);
  for (const auto& slice : changes.sliced)
    if (const auto found = tensors.find(slice.parameter); found != tensors.end() && found->second.dim() > slice.axis)
      found->second = found->second.index_select(slice.axis, index_tensor(slice.kept, found->second));
}

}  // namespace compress::train
