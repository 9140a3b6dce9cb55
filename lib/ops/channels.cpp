#include "ops/channels.h"

#include "core/text.h"
#include "ops/shape.h"

#include <algorithm>

namespace compress::ops {

// ---- AtomPool
// ------------------------------------------------------------------------------------------------------------------

Atoms AtomPool::fresh(int64_t count) {
  Atoms atoms;
  for (int64_t i = 0; i < count; ++i) {
    atoms.push_back(static_cast<Atom>(parent_.size()));
    parent_.push_back(atoms.back());
  }
  blocked_.resize(parent_.size());
  return atoms;
}

Atom AtomPool::find(Atom atom) const {
  auto& parent = parent_;
  while (parent[static_cast<size_t>(atom)] != atom) {
    auto& above = parent[static_cast<size_t>(atom)];
    above = parent[static_cast<size_t>(above)];  // halves the path
    atom = above;
  }
  return atom;
}

void AtomPool::unite(Atom a, Atom b) {
  const auto low = std::min(find(a), find(b));
  const auto high = std::max(find(a), find(b));
  if (low == high) return;
  parent_[static_cast<size_t>(high)] = low;
  auto& why = blocked_[static_cast<size_t>(low)];
  if (why.empty()) why = std::move(blocked_[static_cast<size_t>(high)]);
}

void AtomPool::block(Atom atom, const std::string& why) {
  auto& reason = blocked_[static_cast<size_t>(find(atom))];
  if (reason.empty()) reason = why;
}

const std::string& AtomPool::blocked(Atom atom) const {
  return blocked_[static_cast<size_t>(find(atom))];
}

// ---- ChannelFlow
// ---------------------------------------------------------------------------------------------------------------

ChannelFlow::ChannelFlow(const Node& node,
                         AtomPool& pool,
                         std::vector<ValueInfo> inputs,
                         std::vector<ValueInfo> outputs,
                         std::vector<ChannelMap> input_maps,
                         std::vector<bool> is_parameter)
    : node_(node), pool_(pool), infos_(std::move(inputs)), output_infos_(std::move(outputs)),
      input_maps_(std::move(input_maps)), is_parameter_(std::move(is_parameter)) {
  input_maps_.resize(infos_.size());
  is_parameter_.resize(infos_.size());
  for (size_t i = 0; i < infos_.size(); ++i) input_maps_[i].resize(infos_[i].shape.size());
  for (const auto& info : output_infos_) output_maps_.emplace_back(info.shape.size());
}

const Atoms& ChannelFlow::axis(size_t i, int64_t axis) const {
  return input_maps_[i].at(static_cast<size_t>(axis));
}

Atoms ChannelFlow::own_axis(size_t i, int64_t axis) {
  if (const auto& known = this->axis(i, axis); !known.empty()) return known;
  const auto atoms = fresh(shape(i)[static_cast<size_t>(axis)]);
  if (is_parameter(i))
    set_parameter(i, axis, atoms);
  else
    block(atoms, fmt::format("the channels of '{}' on axis {} cannot be followed", node_.inputs[i], axis));
  return atoms;
}

void ChannelFlow::unite(const Atoms& a, const Atoms& b) {
  if (a.empty() || b.empty()) {
    block(a.empty() ? b : a, "the channels meet others that cannot be followed");
    return;
  }
  if (a.size() != b.size())
    throw run_error("{}: {} channels cannot be the same as {}", describe(node_), a.size(), b.size());
  for (size_t k = 0; k < a.size(); ++k) pool_.unite(a[k], b[k]);
}

void ChannelFlow::block(const Atoms& atoms, const std::string& why) {
  for (const auto atom : atoms) pool_.block(atom, describe(node_) + ": " + why);
}

void ChannelFlow::block_inputs(const std::string& why) {
  for (size_t i = 0; i < inputs(); ++i)
    for (size_t axis = 0; axis < input_maps_[i].size(); ++axis) {
      if (is_parameter(i)) bind(i, static_cast<int64_t>(axis), {});
      block(input_maps_[i][axis], why);
    }
  for (auto& map : output_maps_) std::ranges::fill(map, Atoms{});
}

void ChannelFlow::bind(size_t i, int64_t axis, const Atoms& atoms) {
  if (!has(i)) return;
  const auto& name = node_.inputs[i];
  if (!is_parameter(i)) {
    const auto& known = this->axis(i, axis);
    if (known.empty()) return block(atoms, fmt::format("they meet axis {} of '{}', which carries none", axis, name));
    if (atoms.empty()) return block(known, fmt::format("axis {} of '{}' meets an axis that carries none", axis, name));
    unite(known, atoms);
  } else if (!atoms.empty()) {
    set_parameter(i, axis, atoms);
  } else {
    const auto pinned = own_axis(i, axis);
    block(pinned, fmt::format("axis {} of '{}' meets an axis whose channels cannot be followed", axis, name));
  }
}

void ChannelFlow::set_parameter(size_t i, int64_t axis, const Atoms& atoms) {
  auto& known = input_maps_[i].at(static_cast<size_t>(axis));
  if (!known.empty()) unite(known, atoms);
  known = atoms;
}

void ChannelFlow::set_output(ChannelMap map, size_t k) {
  output_maps_.at(k) = std::move(map);
}

// ---- Resize
// --------------------------------------------------------------------------------------------------------------------

std::vector<bool> Resize::flags(const ChannelMap& map, int64_t axis) const {
  std::vector<bool> flags;
  for (const auto atom : map.at(static_cast<size_t>(axis))) flags.push_back(kept_[static_cast<size_t>(atom)]);
  return flags;
}

std::vector<bool> Resize::kept_input(size_t i, int64_t axis) const {
  return i < input_count_ && inputs_[i] ? flags(*inputs_[i], axis) : std::vector<bool>{};
}

std::vector<bool> Resize::kept_output(int64_t axis, size_t k) const {
  return k < output_count_ ? flags(outputs_[k], axis) : std::vector<bool>{};
}

int64_t Resize::count_input(size_t i, int64_t axis) const {
  const auto kept = kept_input(i, axis);
  return kept.empty() ? -1 : std::ranges::count(kept, true);
}

int64_t Resize::count_output(int64_t axis, size_t k) const {
  const auto kept = kept_output(axis, k);
  return kept.empty() ? -1 : std::ranges::count(kept, true);
}

}  // namespace compress::ops
