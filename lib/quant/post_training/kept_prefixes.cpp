#include "quant/post_training/kept_prefixes.h"

namespace compress::quant {
namespace {

int64_t bytes_of_live(const exec::Plan::Live& live) {
  int64_t bytes = 0;
  for (const auto& [name, value] : live.values) bytes += static_cast<int64_t>(value.nbytes());
  return bytes;
}

}  // namespace

const exec::Plan::Live* KeptPrefixes::before(const std::string& node,
                                             const exec::Plan& plan,
                                             size_t batch,
                                             std::span<const at::Tensor> inputs) {
  if (batch > kept_.size() || (batch == kept_.size() && bytes_ >= most_bytes_)) return nullptr;
  if (batch == kept_.size())
    kept_.push_back({.node = node, .live = plan.run_until(node, inputs)});
  else if (kept_[batch].node != node)
    kept_[batch].live = plan.run_between(kept_[batch].node, kept_[batch].live, node);
  auto& kept = kept_[batch];
  kept.node = node;
  bytes_ -= kept.bytes;
  kept.bytes = bytes_of_live(kept.live);
  bytes_ += kept.bytes;
  while (kept_.size() > batch + 1 && bytes_ > most_bytes_) {  // values before this node may be larger
    bytes_ -= kept_.back().bytes;
    kept_.pop_back();
  }
  return &kept.live;
}

std::vector<std::string> KeptPrefixes::nodes() const {
  std::vector<std::string> nodes;
  for (const auto& kept : kept_) nodes.push_back(kept.node);
  return nodes;
}

void KeptPrefixes::clear() {
  kept_.clear();
  bytes_ = 0;
}

}  // namespace compress::quant
