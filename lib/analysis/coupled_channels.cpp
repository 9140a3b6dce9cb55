#include "analysis/coupled_channels.h"

#include "ops/heads.h"

#include <algorithm>
#include <set>

namespace compress::analysis {

namespace {

using ops::Atom;
using ops::Atoms;
using ops::ChannelMap;

/// Sizes of axes must not be mistaken for broadcasting, so the batch is not 1.
constexpr int64_t kFlowBatch = 2;

/// The channel axis of an image: the last when all that reads it turns that axis to the front (NHWC files), else the
/// first behind the batch.
size_t image_axis(const Graph& graph, const GraphInput& input, size_t rank) {
  const auto readers = graph.consumers(input.name);
  const bool turned = !readers.empty() && std::ranges::all_of(readers, [&](const Node* node) {
    const auto order = node->attributes.integers("perm", {});
    return node->op == "Transpose" && order.size() == rank && order[1] == static_cast<int64_t>(rank) - 1;
  });
  return turned ? rank - 1 : 1;
}

/// Channels of an input: those of an image, and time and features of a sequence [batch, time, features].
ChannelMap input_map(const Graph& graph, const GraphInput& input, const ops::ValueInfo& info, ops::AtomPool& pool) {
  ChannelMap map(info.shape.size());
  for (size_t axis = 1; axis < map.size(); ++axis) {
    if (map.size() != 3 && axis != image_axis(graph, input, map.size())) continue;
    map[axis] = pool.fresh(info.shape[axis]);
    for (const Atom atom : map[axis]) pool.block(atom, "input '" + input.name + "' of the network");
  }
  return map;
}

/// Is the value split into the factors of a product of values, as in attention, with nothing but moves and scales
/// before it?
bool leads_to_product(const Graph& graph, const std::string& value) {
  static const std::set<std::string, std::less<>> kMoves = {
      "Cast", "Concat",          "Div",   "Expand", "Gather",  "Identity",  "Mul",
      "Neg",  "RotaryEmbedding", "Slice", "Split",  "Squeeze", "Transpose", "Unsqueeze"};
  for (const Node* node : graph.consumers(value)) {
    if (node->op == "Attention") return true;
    const bool product = node->op == "MatMul" || node->op == "Einsum";
    if (product && std::ranges::none_of(node->inputs, [&](const auto& name) { return graph.find_parameter(name); }))
      return true;
    if (!kMoves.contains(node->op)) continue;
    for (int k = 0; k < node->outputs; ++k)
      if (leads_to_product(graph, node->output(k))) return true;
  }
  return false;
}

/// Does the node split channels into heads, or work on heads?
bool has_heads(const Graph& graph, const Node& node) {
  if (node.op == "Attention" || node.op == "RotaryEmbedding") return true;
  return node.op == "Reshape" && leads_to_product(graph, node.output());
}

}  // namespace

bool has_heads(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [&](const Node& node) { return has_heads(graph, node); });
}

int ChannelGroup::member(const std::string& parameter, int axis) const {
  const auto found = std::ranges::find(members, ParameterAxis{parameter, axis});
  return found == members.end() ? -1 : static_cast<int>(found - members.begin());
}

CoupledChannels::CoupledChannels(const Graph& graph, Heads heads) {
  const ops::Infos infos = ops::infer(graph, kFlowBatch);
  for (const auto& input : graph.inputs) maps_[input.name] = input_map(graph, input, infos.at(input.name), pool_);
  for (const Parameter& parameter : graph.parameters())
    maps_[parameter.name] = ChannelMap(static_cast<size_t>(parameter.value.dim()));
  for (const Node& node : graph.nodes()) {
    if (heads == Heads::within || !has_heads(graph, node)) {
      follow(graph, node, infos);
      continue;
    }
    Node marked = node;
    marked.attributes.set(std::string(ops::kWholeHeads), int64_t{1});
    follow(graph, marked, infos);
  }
  for (const auto& output : graph.outputs)
    for (const Atoms& atoms : maps_.at(output.value))
      for (const Atom atom : atoms) pool_.block(atom, "output '" + output.name + "' of the network");
  collect(graph);
}

void CoupledChannels::follow(const Graph& graph, const Node& node, const ops::Infos& infos) {
  std::vector<ChannelMap> maps;
  std::vector<bool> is_parameter;
  for (const auto& input : node.inputs) {
    maps.push_back(input.empty() ? ChannelMap{} : maps_.at(input));
    is_parameter.push_back(graph.find_parameter(input) != nullptr);
  }
  ops::ChannelFlow flow(node, pool_, ops::input_infos(node, infos), ops::output_infos(node, infos), maps, is_parameter);
  ops::op_of(node).channels(flow);
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (is_parameter[i]) maps_[node.inputs[i]] = flow.input_maps()[i];
  for (int k = 0; k < node.outputs; ++k) maps_[node.output(k)] = flow.output_maps()[static_cast<size_t>(k)];
}

void CoupledChannels::collect(const Graph& graph) {
  std::vector<ParameterAxis> axes;
  std::map<Atom, std::map<int, std::vector<int64_t>>> classes;  // root -> which of the axes -> indices
  std::vector<Atom> order;                                      // roots as they are met
  for (const Parameter& parameter : graph.parameters()) {
    const ChannelMap& map = maps_.at(parameter.name);
    for (size_t axis = 0; axis < map.size(); ++axis) {
      if (map[axis].empty()) continue;
      axes.push_back({parameter.name, static_cast<int>(axis)});
      for (size_t i = 0; i < map[axis].size(); ++i) {
        const Atom root = pool_.find(map[axis][i]);
        if (!classes.contains(root)) order.push_back(root);
        classes[root][static_cast<int>(axes.size()) - 1].push_back(static_cast<int64_t>(i));
      }
    }
  }
  std::map<std::pair<std::vector<int>, std::string>, int> group_of;
  for (const Atom root : order) {
    std::vector<int> key;
    ChannelClass channel{.root = root};
    for (auto& [axis, indices] : classes[root]) {
      key.push_back(axis);
      channel.indices.push_back(std::move(indices));
    }
    const auto [found, fresh] = group_of.try_emplace({key, pool_.blocked(root)}, static_cast<int>(groups_.size()));
    if (fresh) {
      auto& group = groups_.emplace_back();
      for (const int axis : key) group.members.push_back(axes[static_cast<size_t>(axis)]);
      group.blocked = pool_.blocked(root);
    }
    auto& group = groups_[static_cast<size_t>(found->second)];
    place_of_root_[root] = {.group = found->second, .channel = static_cast<int>(group.channels.size())};
    group.channels.push_back(std::move(channel));
  }
}

std::vector<ChannelPlace> CoupledChannels::places(const std::string& parameter, int axis) const {
  std::vector<ChannelPlace> places;
  for (const Atom atom : map(parameter).at(static_cast<size_t>(axis)))
    places.push_back(place_of_root_.at(pool_.find(atom)));
  return places;
}

const ops::ChannelMap& CoupledChannels::map(std::string_view name) const {
  const auto found = maps_.find(name);
  if (found == maps_.end()) throw request_error("the graph has no value or parameter '{}'", name);
  return found->second;
}

}  // namespace compress::analysis
