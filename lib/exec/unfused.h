#pragma once

#include "exec/fuse.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace compress::exec {

/// The kernels of a group's operators in a row: what a fused step does with tensors that its loops do not take.
class Unfused {
public:
  explicit Unfused(const Group& group);

  /// What the group reads: the inputs of each of its nodes in turn, but not the values between them.
  const std::vector<std::string>& inputs() const { return inputs_; }
  /// Where those of a node of the group begin.
  size_t first_input(const Node& node) const;

  void operator()(ops::Call& call) const;
  /// The nodes behind the first one, on what that has made.
  at::Tensor behind_first(at::Tensor value, const ops::Call& call) const;

private:
  static constexpr int kPrevious = -1;

  struct Member {
    std::string node;
    ops::Kernel kernel;
    size_t first = 0;
    std::vector<int> inputs;  ///< places in inputs(), or kPrevious
  };
  static at::Tensor run(const Member& member, const at::Tensor& value, const ops::Call& call);

  std::vector<Member> members_;
  std::vector<std::string> inputs_;
};

}  // namespace compress::exec
