#pragma once

#include "search/importance.h"
#include "search/size.h"
#include "search/units.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace compress::search {

/// What an agent sees of a unit before it decides (AMC, arXiv 1802.03494), not normalised.
struct Observation {
  int64_t index = 0;  ///< of the unit
  LayerKind kind = LayerKind::other;
  int64_t outputs = 0, inputs = 0, height = 0, width = 0, stride = 0, kernel = 0;
  int64_t macs = 0, weights = 0;
  double reduced = 0;   ///< MACs that are gone since the start
  double rest = 0;      ///< MACs of the units behind this one
  double previous = 0;  ///< share that was removed of the unit before

  static constexpr size_t kValues = 13;
  std::array<double, kValues> values() const;
};

/// A network that is made smaller step by step, unit by unit: what a search acts on. A step removes channels for real,
/// with all that is coupled to them.
class Environment {
public:
  /// The network before any step. Tensors are shared with `start`.
  Environment(const Graph& start, UnitOptions options, Resource resource, Importance importance);

  /// The present network, its units, and what became of its parameters since the start.
  const Graph& graph() const { return graph_; }
  const std::vector<Unit>& units() const { return units_; }
  const Changes& changes() const { return changes_; }
  const Size& size() const { return size_; }
  const Size& start_size() const { return start_size_; }
  /// What is left of the resource, 0 ... 1.
  double left() const { return left(size_); }
  double left(const Size& size) const;

  /// A network that a step would lead to.
  struct Step {
    Graph graph{"none"};
    Changes changes;
    Size size;
  };
  /// Removes this many of the weakest channels of a unit, or of each unit. Throws a request error when that is more
  /// than Unit::most.
  Step step(size_t unit, int64_t channels) const;
  Step step(const std::vector<int64_t>& channels) const;
  /// The step's network becomes the present one.
  void take(Step step);
  /// Back to the start.
  void reset();

  /// The smallest allowed number of channels whose removal from this unit alone leaves at most `goal` of the resource;
  /// -1 when none does.
  int64_t channels_for(size_t unit, int64_t goal) const;
  /// The smallest allowed number of channels that this unit must lose so that `goal` can still be reached with the
  /// units behind it, which lose at most `share` of their channels; `most` when even that is not enough.
  int64_t least(size_t unit, int64_t goal, double share = 1) const;
  /// The least of the resource that can be left.
  int64_t smallest() const;

  Observation observe(size_t unit, double previous_action) const;

private:
  void follow();
  std::vector<int> weakest(const Unit& unit, int64_t count) const;
  template <class Reaches>
  int64_t first_allowed(const Unit& unit, Reaches&& reaches) const;

  UnitOptions options_;
  Resource resource_;
  Importance importance_;
  Graph start_, graph_;
  Size start_size_, size_;
  Changes changes_;
  std::unique_ptr<analysis::CoupledChannels> channels_;
  std::vector<Unit> units_;
};

}  // namespace compress::search
