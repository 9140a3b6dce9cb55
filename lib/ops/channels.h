#pragma once

#include "ops/op.h"

#include <string>
#include <vector>

/// How channels run through a graph, as index maps: each index of each axis of each value is an *atom*; operators say
/// which atoms are the same channel. Atoms that must live and die together end in one class (union-find), from which
/// pruning and thinning are derived.
namespace compress::ops {

using Atom = int;
/// One atom per index of an axis; empty: this axis carries no channels (batch, space). An atom may stand at several
/// indices (Flatten repeats each channel H*W times).
using Atoms = std::vector<Atom>;
/// One entry per axis of a value.
using ChannelMap = std::vector<Atoms>;

/// Union-find over atoms with reasons why a class may not be removed.
class AtomPool {
public:
  Atoms fresh(int64_t count);
  Atom find(Atom atom) const;
  void unite(Atom a, Atom b);
  void block(Atom atom, const std::string& why);
  /// Why the atom's class may not be removed; "" when it may.
  const std::string& blocked(Atom atom) const;
  size_t size() const { return parent_.size(); }

private:
  mutable std::vector<Atom> parent_;
  std::vector<std::string> blocked_;
};

/// What an operator's `channels` function works with: the maps of its inputs, to be related to its parameters and
/// outputs.
class ChannelFlow {
public:
  ChannelFlow(const Node& node,
              AtomPool& pool,
              std::vector<ValueInfo> inputs,
              std::vector<ValueInfo> outputs,
              std::vector<ChannelMap> input_maps,
              std::vector<bool> is_parameter);

  const Node& node() const { return node_; }
  size_t inputs() const { return input_maps_.size(); }
  bool has(size_t i) const { return i < infos_.size() && infos_[i].type != at::ScalarType::Undefined; }
  bool is_parameter(size_t i) const { return is_parameter_[i]; }
  const Shape& shape(size_t i) const { return infos_[i].shape; }
  const Shape& output_shape(size_t k = 0) const { return output_infos_[k].shape; }

  /// The map of an input (for a parameter: what is known of it so far, empty axes otherwise).
  const ChannelMap& map(size_t i) const { return input_maps_[i]; }
  const Atoms& axis(size_t i, int64_t axis) const;
  /// The channels of an axis that nothing before decides (a weight's output axis): those known, else fresh ones. An
  /// untracked axis of a value gets blocked ones.
  Atoms own_axis(size_t i, int64_t axis);
  /// The representative of the atom's class so far.
  Atom root(Atom atom) const { return pool_.find(atom); }

  Atoms fresh(int64_t count) { return pool_.fresh(count); }
  /// Index by index the same channel. One side empty: the other is blocked, since an untracked axis cannot follow.
  void unite(const Atoms& a, const Atoms& b);
  void block(const Atoms& atoms, const std::string& why);
  /// Blocks all channels of all inputs and gives the outputs none: for operators through which channels cannot be
  /// followed.
  void block_inputs(const std::string& why);

  /// States that an input's axis consists of these atoms: set_parameter for a parameter (blocked ones when `atoms` is
  /// empty, so that no other user of the parameter slices it), unite for a value; nothing for an absent input.
  void bind(size_t i, int64_t axis, const Atoms& atoms);
  /// States that a parameter's axis consists of these atoms; united with what is known (tied weights).
  void set_parameter(size_t i, int64_t axis, const Atoms& atoms);
  void set_output(ChannelMap map, size_t k = 0);

  const std::vector<ChannelMap>& output_maps() const { return output_maps_; }
  const std::vector<ChannelMap>& input_maps() const { return input_maps_; }

private:
  const Node& node_;
  AtomPool& pool_;
  std::vector<ValueInfo> infos_, output_infos_;
  std::vector<ChannelMap> input_maps_, output_maps_;
  std::vector<bool> is_parameter_;
};

/// What an operator's `resize` works with: which indices of each axis stay.
class Resize {
public:
  Resize(const ChannelMap* const* inputs,
         size_t input_count,
         const ChannelMap* outputs,
         size_t output_count,
         const std::vector<bool>& kept_atoms)
      : inputs_(inputs), input_count_(input_count), outputs_(outputs), output_count_(output_count), kept_(kept_atoms) {}

  /// One flag per index; empty when the axis carries no channels (all stay).
  std::vector<bool> kept_input(size_t i, int64_t axis) const;
  std::vector<bool> kept_output(int64_t axis, size_t k = 0) const;
  /// How many stay; -1 when the axis carries no channels.
  int64_t count_input(size_t i, int64_t axis) const;
  int64_t count_output(int64_t axis, size_t k = 0) const;
  int64_t axes_of_output(size_t k = 0) const { return static_cast<int64_t>(outputs_[k].size()); }

private:
  std::vector<bool> flags(const ChannelMap& map, int64_t axis) const;
  const ChannelMap* const* inputs_;
  size_t input_count_;
  const ChannelMap* outputs_;
  size_t output_count_;
  const std::vector<bool>& kept_;
};

// ---- channel functions that several operators share
// --------------------------------------------------------------------------

/// Channels end here: all input channels are blocked.
void blocked(ChannelFlow& flow);
/// Output index = input index, one input (activations, Dropout, ...).
void same_channels(ChannelFlow& flow);
/// For operators that move values around: true, with everything blocked, when the first input is a parameter (import
/// folds those).
bool blocked_parameter(ChannelFlow& flow);
/// Any change of shape that keeps the order of the elements (Reshape, Flatten, Squeeze, Unsqueeze).
void reshaped_channels(ChannelFlow& flow);
/// Element-wise with broadcasting over any number of inputs (Add, Mul, ...): what meets in one element is one channel.
void elementwise_channels(ChannelFlow& flow);

}  // namespace compress::ops
