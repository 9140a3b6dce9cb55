#include "regularize/coupled_terms.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

namespace compress::regularize {

namespace {

/// Below it a sum of squares counts as 0: its root has no finite slope there.
constexpr double kSmallestSquare = 1e-30;

}  // namespace

CoupledTerm::CoupledTerm(const Graph& graph, const analysis::ChannelGroup& group)
    : channels_(static_cast<int64_t>(group.channels.size())) {
  sizes_ = at::zeros({channels_}, at::kFloat);
  for (size_t m = 0; m < group.members.size(); ++m) {
    const auto& [name, axis] = group.members[m];
    const Parameter& parameter = graph.parameter(name);
    if (!parameter.trainable || !at::isFloatingType(parameter.value.scalar_type())) continue;
    std::vector<int64_t> indices, channels;
    for (size_t c = 0; c < group.channels.size(); ++c)
      for (const auto index : group.channels[c].indices[m]) {
        indices.push_back(index);
        channels.push_back(static_cast<int64_t>(c));
      }
    if (indices.empty()) continue;
    const auto device = parameter.value.device();
    Member member{.parameter = name,
                  .axis = axis,
                  .indices = at::tensor(indices, at::kLong).to(device),
                  .channels = at::tensor(channels, at::kLong).to(device)};
    const auto slice = static_cast<double>(parameter.value.numel() / parameter.value.size(axis));
    sizes_ = sizes_.to(device);
    sizes_.index_add_(0, member.channels, at::full({member.channels.numel()}, slice, sizes_.options()));
    members_.push_back(std::move(member));
  }
}

at::Tensor CoupledTerm::norms(const Graph& graph) const {
  at::Tensor squares;
  for (const auto& member : members_) {
    const auto& value = graph.parameter(member.parameter).value;
    auto own = value.square();
    if (value.dim() > 1) own = own.transpose(0, member.axis).flatten(1).sum(1);
    if (!squares.defined()) squares = at::zeros({channels_}, own.options().requires_grad(false));
    squares = squares.index_add(0, member.channels, own.index_select(0, member.indices));
  }
  return squares.clamp_min(kSmallestSquare).sqrt();
}

}  // namespace compress::regularize
