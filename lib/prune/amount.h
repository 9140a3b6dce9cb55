#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"
#include "prune/moment.h"
#include "train/hook.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace compress::prune {

/// What is ranked as one list: the structures of one weight, or the channels of a group that are removed together.
struct Unit {
  std::string name;      ///< the (first) weight
  at::Tensor strengths;  ///< [structures], the weaker go first
  at::Tensor map;        ///< [structures], 1 for those that stayed when masks were last set; undefined at first
  double elements = 1;   ///< weights that one structure holds, on the average
};

/// What the network would cost with these maps (one per unit): zeros of structures that can be removed for real as if
/// they were gone, other zeros as if they were free.
struct Measured {
  double sparsity = 0;  ///< share of the units' own weights that are zero, 0 ... 1
  double macs = 0, parameters = 0, bytes = 0;
};
using Measure = std::function<Measured(const std::vector<at::Tensor>& maps)>;

/// What an amount decides on.
struct Ranking {
  const Graph& graph;
  const std::vector<Unit>& units;
  const Moment& moment;
  const Measure& measure;
};

/// How many structures go. One file in lib/prune/amount and one line in amounts.def each.
class Amount {
public:
  virtual ~Amount() = default;
  virtual void declare(Settings&) {}
  /// Contradictions among arguments, and windows it cannot work with.
  virtual void check(const Moment&) const {}
  /// Resolves names and patterns of per-weight arguments.
  virtual void bind(const Graph&, const std::vector<std::string>& /*parameters*/, Problems&) {}
  /// For each unit a map [structures]: 1 stays, 0 goes.
  virtual std::vector<at::Tensor> keep(const Ranking& ranking) = 0;

  /// Follows renames, removals and slices.
  virtual void apply(const Changes&) {}
  virtual train::Memory save() const { return {}; }
  virtual void load(const train::Memory&) {}
};
const Registry<Amount>& amounts();

}  // namespace compress::prune
