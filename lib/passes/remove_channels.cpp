#include "passes/remove_channels.h"

#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::passes {

namespace {

using analysis::CoupledChannels;
using ops::Atom;
using ops::Atoms;

class ChannelRemoval {
public:
  ChannelRemoval(Graph& graph, const CoupledChannels& channels, const std::vector<bool>& removed)
      : graph_(graph), channels_(channels), kept_(removed.size()) {
    std::transform(removed.begin(), removed.end(), kept_.begin(), std::logical_not{});
  }

  Changes run() {
    for (const Node& node : graph_.nodes()) require_rest(node);
    for (const auto& name : graph_.parameter_names()) slice(name);
    for (Node& node : graph_.nodes()) resize(node);
    if (changes_.nodes_changed > 0) graph_.touch();
    return std::move(changes_);
  }

private:
  bool none_kept(const Atoms& atoms) const {
    return !atoms.empty() && std::ranges::none_of(atoms, [&](Atom atom) { return kept_[static_cast<size_t>(atom)]; });
  }

  void require_rest(const Node& node) const {
    for (int k = 0; k < node.outputs; ++k)
      for (const Atoms& atoms : channels_.map(node.output(k)))
        if (none_kept(atoms))
          throw request_error("all {} channels of {} would be removed", atoms.size(), ops::describe(node))
              .hint("leave at least one channel in every layer: prune less, or not this layer");
  }

  void slice(const std::string& name) {
    const ops::ChannelMap& map = channels_.map(name);
    for (size_t axis = 0; axis < map.size(); ++axis) {
      std::vector<int64_t> kept;
      for (size_t i = 0; i < map[axis].size(); ++i)
        if (kept_[static_cast<size_t>(map[axis][i])]) kept.push_back(static_cast<int64_t>(i));
      if (kept.size() == map[axis].size()) continue;
      Parameter& parameter = graph_.parameter(name);
      const bool requires_grad = parameter.value.requires_grad();
      const auto cut = [&](const at::Tensor& tensor) {
        if (tensor.is_meta()) return tensor.narrow(static_cast<int64_t>(axis), 0, std::ssize(kept));  // shapes only
        return tensor.detach().index_select(static_cast<int64_t>(axis),
                                            at::tensor(kept, tensor.options().dtype(at::kLong)));
      };
      if (parameter.mask.defined()) parameter.mask = cut(parameter.mask);
      graph_.assign(name, cut(parameter.value).set_requires_grad(requires_grad));
      changes_.sliced.push_back({.parameter = name, .axis = static_cast<int>(axis), .kept = std::move(kept)});
    }
  }

  void resize(Node& node) {
    std::vector<const ops::ChannelMap*> inputs;
    std::vector<ops::ChannelMap> outputs;
    for (const auto& input : node.inputs) inputs.push_back(input.empty() ? nullptr : &channels_.map(input));
    for (int k = 0; k < node.outputs; ++k) outputs.push_back(channels_.map(node.output(k)));
    const Attributes before = node.attributes;
    ops::op_of(node).resize(node, ops::Resize(inputs.data(), inputs.size(), outputs.data(), outputs.size(), kept_));
    if (!(node.attributes == before)) ++changes_.nodes_changed;
  }

  Graph& graph_;
  const CoupledChannels& channels_;
  std::vector<bool> kept_;
  Changes changes_;
};

}  // namespace

Changes remove_channels(Graph& graph, const CoupledChannels& channels, const std::vector<bool>& removed) {
  return ChannelRemoval(graph, channels, removed).run();
}

}  // namespace compress::passes
