#pragma once

#include "analysis/granularity.h"
#include "prune/amount.h"
#include "prune/criterion.h"
#include "prune/dependency.h"
#include "prune/limits.h"
#include "prune/pruner.h"
#include "prune/selection.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace compress::prune {

/// The choices that make a pruner.
struct Parts {
  std::unique_ptr<Criterion> criterion;
  std::unique_ptr<analysis::Granularity> granularity;
  std::unique_ptr<Amount> amount;  ///< none with a granularity that has a quota
  std::unique_ptr<Dependency> dependency = make_independent();
  std::optional<Limits> limits = {};  ///< none: whatever the amount says
  double noise = 0;                   ///< probability that a list is ranked by randomly scaled strengths
};

/// The engine behind every pruner: ranks what the granularity cuts by the criterion, asks the amount how much goes, and
/// turns that into masks the way the dependency says.
class Composition {
public:
  Composition() = default;
  explicit Composition(Parts parts) : parts_(std::move(parts)) {}

  /// Checks shapes and lets the parts find what they need. Names that were written out must fit; those of patterns that
  /// do not are left out, with a line in the log.
  void bind(const Graph& graph, Selection selection, Problems& problems);
  /// The weights that are ranked, after bind().
  const std::vector<std::string>& weights() const { return weights_; }
  /// All parameters that get masks: the weights, and what goes with them.
  const std::vector<std::string>& parameters() const { return parameters_; }
  const Parts& parts() const { return parts_; }

  /// Writes masks into the graph; does not touch the values.
  void set_masks(Graph& graph, const Moment& moment);

  void collect(train::State& state) { parts_.criterion->collect(state); }
  void observe(const Graph& graph) { parts_.criterion->observe(graph); }
  bool ready() const { return parts_.criterion->ready(); }
  void apply(const Changes& changes);
  train::Memory save() const;
  void load(const train::Memory& memory);

private:
  void leave_out_unfit(const Graph& graph, Selection& selection, Problems& problems) const;
  void add_noise(std::vector<Unit>& units, const Moment& moment) const;
  void limit(const std::vector<Unit>& units, std::vector<at::Tensor>& maps) const;

  Parts parts_;
  std::vector<std::string> weights_, parameters_;
};

/// A pruner that is one composition: it declares its arguments and says which parts they mean.
class ComposedPruner : public Pruner {
public:
  void check(const Moment& moment) const override;
  void bind(const Graph& graph, Problems& problems) override;
  const std::vector<std::string>& parameters() const override { return composition_.parameters(); }
  const std::vector<std::string>& uncoupled() const override { return composition_.parts().dependency->uncoupled(); }
  void set_masks(Graph& graph, const Moment& moment) override { composition_.set_masks(graph, moment); }
  void collect(train::State& state) override { composition_.collect(state); }
  void observe(const Graph& graph) override { composition_.observe(graph); }
  bool ready() const override { return composition_.ready(); }
  void apply(const Changes& changes) override { composition_.apply(changes); }
  train::Memory save() const override { return composition_.save(); }
  void load(const train::Memory& memory) override { composition_.load(memory); }

protected:
  /// What the arguments mean; called once they have been read.
  virtual Parts assemble() const = 0;
  virtual Selection select(const Graph& graph, Problems& problems) const = 0;

  const Composition& composition() const { return composition_; }

private:
  Composition composition_;
};

}  // namespace compress::prune
