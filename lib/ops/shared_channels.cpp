#include "ops/channels.h"
#include "ops/heads.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

namespace {

/// Groups of axes of two shapes with equal products: {first, last} of the one and of the other.
struct AxisGroup {
  size_t from_begin, from_end, to_begin, to_end;
};

std::vector<AxisGroup> matching_axes(const Shape& from, const Shape& to) {
  std::vector<AxisGroup> groups;
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    AxisGroup group{i, i, j, j};
    int64_t left = from[i++], right = to[j++];
    while (left != right && (left < right ? i < from.size() : j < to.size()))
      left < right ? left *= from[i++] : right *= to[j++];
    group.from_end = i;
    group.to_end = j;
    groups.push_back(group);
  }
  return groups;
}

/// The atoms of several axes seen as one; at most one of them may carry channels, the others repeat or tile it.
Atoms merged(ChannelFlow& flow, const AxisGroup& group) {
  const auto& shape = flow.shape(0);
  size_t tracked = group.from_end;
  for (auto axis = group.from_begin; axis < group.from_end; ++axis) {
    if (flow.map(0)[axis].empty()) continue;
    if (tracked != group.from_end)
      for (const auto both : {tracked, axis})
        flow.block(flow.map(0)[both], fmt::format("axes {} and {} both carry channels and become one", tracked, axis));
    tracked = axis;
  }
  if (tracked == group.from_end) return {};
  const auto& atoms = flow.map(0)[tracked];
  const auto sizes = std::span(shape);
  const auto inner = elements(sizes.subspan(tracked + 1, group.from_end - tracked - 1));
  const auto total = elements(sizes.subspan(group.from_begin, group.from_end - group.from_begin));
  Atoms result;
  for (int64_t k = 0; k < total; ++k) result.push_back(atoms[static_cast<size_t>(k / inner) % atoms.size()]);
  return result;
}

/// The atom at each index of one of the axes that `atoms` is split into; empty when it also depends on the other axes.
Atoms along(const ChannelFlow& flow, const Atoms& atoms, int64_t size, int64_t inner) {
  Atoms result(static_cast<size_t>(size), -1);
  for (size_t k = 0; k < atoms.size(); ++k) {
    auto& atom = result[k / static_cast<size_t>(inner) % result.size()];
    if (atom < 0) atom = atoms[k];
    if (flow.root(atom) != flow.root(atoms[k])) return {};
  }
  return result;
}

/// The atom at each index of an axis of `size`, all others of the axes that `atoms` is split into united.
Atoms united_along(ChannelFlow& flow, const Atoms& atoms, int64_t size, int64_t inner) {
  Atoms result(static_cast<size_t>(size), -1);
  for (size_t k = 0; k < atoms.size(); ++k) {
    auto& atom = result[k / static_cast<size_t>(inner) % result.size()];
    if (atom < 0) atom = atoms[k];
    flow.unite({atom}, {atoms[k]});
  }
  return result;
}

/// The axis of the heads: the last but one of those that are longer than one; -1 when there is none.
int64_t heads_axis(const Shape& shape, const AxisGroup& group) {
  std::vector<int64_t> longer;
  for (auto axis = group.to_begin; axis < group.to_end; ++axis)
    if (shape[axis] > 1) longer.push_back(static_cast<int64_t>(axis));
  return longer.size() < 2 ? -1 : longer[longer.size() - 2];
}

/// Splits an axis: the channels go to the one axis that they depend on; when there is none, all but the last long axis
/// are united.
void split_channels(ChannelFlow& flow, const Atoms& atoms, const AxisGroup& group, ChannelMap& map) {
  const auto& shape = flow.output_shape();
  const auto inner_of = [&](size_t axis) {
    return elements(std::span(shape).subspan(axis + 1, group.to_end - axis - 1));
  };
  if (const auto heads = follows_whole_heads(flow.node()) ? heads_axis(shape, group) : -1; heads >= 0) {
    const auto axis = static_cast<size_t>(heads);
    map[axis] = united_along(flow, atoms, shape[axis], inner_of(axis));
    return;
  }
  size_t last = group.to_begin;
  for (auto axis = group.to_begin; axis < group.to_end; ++axis) {
    if (shape[axis] == 1) continue;
    last = axis;
    map[axis] = along(flow, atoms, shape[axis], inner_of(axis));
    if (!map[axis].empty()) return;
  }
  map[last] = united_along(flow, atoms, shape[last], inner_of(last));
}

/// The axis of input i that meets axis `axis` of the output; -1 when it has none there.
int64_t aligned_axis(const ChannelFlow& flow, size_t i, size_t axis) {
  return static_cast<int64_t>(axis + flow.shape(i).size()) - static_cast<int64_t>(flow.output_shape().size());
}

/// The channels of one output axis of an element-wise operator.
Atoms met_channels(ChannelFlow& flow, size_t output_axis) {
  const auto size = flow.output_shape()[output_axis];
  std::vector<std::pair<size_t, int64_t>> full;  // inputs that are not broadcast here, with their axis
  for (size_t i = 0; i < flow.inputs(); ++i) {
    if (!flow.has(i)) continue;
    const auto axis = aligned_axis(flow, i, output_axis);
    if (axis < 0) continue;
    if (flow.shape(i)[static_cast<size_t>(axis)] == size)
      full.emplace_back(i, axis);
    else
      flow.block(flow.axis(i, axis),
                 fmt::format("the one channel of '{}' is spread over {}", flow.node().inputs[i], size));
  }
  const auto tracked = std::ranges::find_if(
      full, [&](const auto& at) { return !flow.is_parameter(at.first) && !flow.axis(at.first, at.second).empty(); });
  if (tracked == full.end()) {
    for (const auto& [i, axis] : full)
      flow.block(flow.axis(i, axis), fmt::format("axis {} of its result carries no channels that '{}' could follow",
                                                 output_axis, flow.node().inputs[i]));
    return {};
  }
  const auto atoms = flow.axis(tracked->first, tracked->second);
  for (const auto& [i, axis] : full) flow.bind(i, axis, atoms);
  return atoms;
}

}  // namespace

void blocked(ChannelFlow& flow) {
  flow.block_inputs("channels cannot be followed through this operator");
}

void same_channels(ChannelFlow& flow) {
  if (flow.is_parameter(0))  // a weight on its way through a quantiser: output and input channels
    for (int64_t axis = 0; axis < std::min<int64_t>(2, std::ssize(flow.shape(0))); ++axis) flow.own_axis(0, axis);
  flow.set_output(flow.map(0));
}

bool blocked_parameter(ChannelFlow& flow) {
  if (!flow.is_parameter(0)) return false;
  flow.block_inputs("a parameter runs through it");
  return true;
}

void reshaped_channels(ChannelFlow& flow) {
  if (blocked_parameter(flow)) return;
  const auto& from = flow.shape(0);
  ChannelMap map(flow.output_shape().size());
  const auto groups = matching_axes(from, flow.output_shape());
  for (const auto& group : groups) {
    const auto atoms = merged(flow, group);
    if (!atoms.empty()) split_channels(flow, atoms, group, map);
  }
  for (auto axis = groups.empty() ? 0 : groups.back().from_end; axis < from.size(); ++axis)
    flow.block(flow.map(0)[axis], fmt::format("axis {}, of size 1, carries a channel and disappears", axis));
  flow.set_output(std::move(map));
}

void elementwise_channels(ChannelFlow& flow) {
  ChannelMap map(flow.output_shape().size());
  for (size_t axis = 0; axis < map.size(); ++axis) map[axis] = met_channels(flow, axis);
  flow.set_output(std::move(map));
}

}  // namespace compress::ops
