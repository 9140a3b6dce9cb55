#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace compress::regularize {

/// When a regulariser is asked.
struct Moment {
  int64_t step = 0;  ///< mini-batches since the start of training
  uint64_t seed = 0;
};

/// A term of the loss over parameters. One file and one line in regularizers.def each.
class Regularizer {
public:
  virtual ~Regularizer() = default;
  virtual void declare(Settings& settings) = 0;
  /// Contradictions among arguments.
  virtual void check() const {}
  /// Resolves names and patterns against the graph; problems quote the word.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// At the beginning of each mini-batch in which it is active, before loss() (which accumulation may call several
  /// times).
  virtual void begin_minibatch(const Graph&, const Moment&) {}
  /// Scalar, differentiable. Undefined when no parameter is left, and for those that add nothing to the loss.
  virtual at::Tensor loss(const Graph& graph) const = 0;

  /// The masks (0/1, by parameter) that its threshold criterion sets after each mini-batch; none without a criterion.
  virtual std::map<std::string, at::Tensor> threshold_masks(const Graph&) const { return {}; }
  /// True when it has a threshold criterion.
  virtual bool thresholds() const { return false; }

  /// Factors (by parameter, broadcast to its shape) for the forward pass of the present mini-batch only.
  virtual std::map<std::string, at::Tensor> forward_factors(const Graph&) const { return {}; }
  /// True when it has any.
  virtual bool changes_forward() const { return false; }

  virtual const std::vector<std::string>& parameters() const = 0;
  /// Follows renames, removals and slices.
  virtual void apply(const Changes& changes) = 0;
  /// What bind() found, later edits changed and training added, for a resume with the same bits.
  virtual train::Memory save() const = 0;
  virtual void load(const train::Memory& memory) = 0;
};
const Registry<Regularizer>& regularizers();

/// `sum` + `strength` * `term`, where an undefined sum is none.
at::Tensor plus_term(const at::Tensor& sum, const at::Tensor& term, double strength);

}  // namespace compress::regularize
