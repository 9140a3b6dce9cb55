#include "exec/unfused.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <utility>

namespace compress::exec {

Unfused::Unfused(const Group& group) {
  const Node* previous = nullptr;
  for (const auto* node : group.nodes()) {
    Member member{.node = node->name, .kernel = ops::op_of(*node).kernel(*node), .first = inputs_.size()};
    for (const auto& input : node->inputs) {
      const bool between = previous != nullptr && input == previous->output();
      member.inputs.push_back(between ? kPrevious : static_cast<int>(inputs_.size()));
      if (!between) inputs_.push_back(input);
    }
    members_.push_back(std::move(member));
    previous = node;
  }
}

size_t Unfused::first_input(const Node& node) const {
  return std::ranges::find(members_, node.name, &Member::node)->first;
}

at::Tensor Unfused::run(const Member& member, const at::Tensor& value, const ops::Call& call) {
  std::vector<const at::Tensor*> inputs;
  for (const int place : member.inputs)
    inputs.push_back(place == kPrevious ? &value : call.inputs[static_cast<size_t>(place)]);
  at::Tensor result;
  ops::Call inner{.inputs = inputs, .outputs = {&result, 1}, .mode = call.mode};
  member.kernel(inner);
  return result;
}

void Unfused::operator()(ops::Call& call) const {
  call.out() = behind_first(run(members_.front(), {}, call), call);
}

at::Tensor Unfused::behind_first(at::Tensor value, const ops::Call& call) const {
  for (size_t i = 1; i < members_.size(); ++i) value = run(members_[i], value, call);
  return value;
}

}  // namespace compress::exec
