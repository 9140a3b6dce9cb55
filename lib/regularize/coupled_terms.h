#pragma once

#include "analysis/coupled_channels.h"
#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace compress::regularize {

/// The trained weights of each channel of a group that is removed as a whole, ready to be summed up.
class CoupledTerm {
public:
  CoupledTerm(const Graph& graph, const analysis::ChannelGroup& group);

  /// The L2 norm of all that belongs to each channel, [channels]; differentiable, also where it is 0.
  at::Tensor norms(const Graph& graph) const;
  /// How many weights belong to each channel, [channels].
  const at::Tensor& sizes() const { return sizes_; }

private:
  struct Member {
    std::string parameter;
    int axis = 0;
    at::Tensor indices;   ///< of the axis that belong to the group
    at::Tensor channels;  ///< of each of them
  };
  std::vector<Member> members_;
  int64_t channels_ = 0;
  at::Tensor sizes_;
};

}  // namespace compress::regularize
