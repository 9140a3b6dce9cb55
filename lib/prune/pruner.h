#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"
#include "prune/moment.h"
#include "train/hook.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace compress::prune {

/// Decides which weights (or structures) stay. One file and one line in pruners.def each; Distiller's names and
/// arguments.
class Pruner {
public:
  virtual ~Pruner() = default;
  virtual void declare(Settings& settings) = 0;
  /// Contradictions among arguments, and windows it cannot work with.
  virtual void check(const Moment&) const {}
  /// Replaces the levels it was declared with (a policy's `levels`), before bind(). False: it has none.
  virtual bool set_levels(const std::map<std::string, double>&) { return false; }
  /// Resolves names and patterns against the graph and checks shapes; problems name the parameter and the nearest one.
  virtual void bind(const Graph& graph, Problems& problems) = 0;
  /// The parameters it prunes, after bind().
  virtual const std::vector<std::string>& parameters() const = 0;
  /// After bind(): why thinning could not remove what it prunes; one line for each group of coupled weights that it
  /// prunes apart.
  virtual const std::vector<std::string>& uncoupled() const {
    static const std::vector<std::string> none;
    return none;
  }
  /// Writes the masks (0/1 tensors) of its parameters into the graph; does not touch the values.
  virtual void set_masks(Graph& graph, const Moment& moment) = 0;

  /// Before masks are set: runs training data through the network, when it judges by activations.
  virtual void collect(train::State&) {}
  /// Before each optimiser step, from the policy's first mini-batch on: gradients are there.
  virtual void observe(const Graph&) {}
  /// False until it has observed what it needs: masks are then set at the next moment only.
  virtual bool ready() const { return true; }
  /// After masks were set, before they are applied: changes the values of weights that stay, when that is its way.
  virtual void adjust(train::State&) {}

  /// Follows renames, removals and slices.
  virtual void apply(const Changes& changes) = 0;
  /// State that matters for a resume: what bind() found and later edits changed, leader maps.
  virtual train::Memory save() const = 0;
  virtual void load(const train::Memory& memory) = 0;
};
const Registry<Pruner>& pruners();

/// Gives a parameter a mask of 0 and 1 (its value's shape and memory format; undefined: none).
void set_mask(Graph& graph, const std::string& parameter, const at::Tensor& mask);

/// Notes a problem when a pruner's `weights` is empty: it would prune nothing.
void require_words(const std::vector<std::string>& words, Problems& problems);

/// Multiplies a parameter's value by its mask, in place; nothing when it has none.
void apply_mask(Graph& graph, const Parameter& parameter);

}  // namespace compress::prune
