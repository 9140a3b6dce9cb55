#pragma once

#include "analysis/granularity.h"
#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"
#include "prune/moment.h"
#include "train/hook.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace compress::prune {

/// What a criterion judges.
struct Candidate {
  const Graph& graph;            ///< with batch-norm folded into the weights when the policy asks for it
  const std::string& parameter;  ///< a weight of it
  const analysis::Granularity& granularity;
  const Moment& moment;
};

/// How strong each structure of a weight is; the weaker go first. One file in lib/prune/criterion and one line in
/// criteria.def each.
class Criterion {
public:
  virtual ~Criterion() = default;
  virtual void declare(Settings&) {}
  /// Finds what it needs of the graph for these weights (the batch-norm or activation behind them, ...); problems name
  /// the weight and the reason.
  virtual void
  bind(const Graph&, const std::vector<std::string>& /*parameters*/, const analysis::Granularity&, Problems&) {}
  /// One number per structure, [structures] as the granularity orders them. Never NaN.
  virtual at::Tensor strengths(const Candidate& candidate) const = 0;

  /// Before masks are set: runs training data through the network, for criteria that judge by activations.
  virtual void collect(train::State&) {}
  /// Before each optimiser step, from the policy's first mini-batch on: gradients are there.
  virtual void observe(const Graph&) {}
  /// False until it has observed what it needs: masks are then set at the next moment only.
  virtual bool ready() const { return true; }

  /// Follows renames, removals and slices.
  virtual void apply(const Changes&) {}
  virtual train::Memory save() const { return {}; }
  virtual void load(const train::Memory&) {}
};
const Registry<Criterion>& criteria();

}  // namespace compress::prune
