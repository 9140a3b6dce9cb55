#pragma once

#include "analysis/granularity.h"
#include "graph/graph.h"
#include "prune/amount.h"
#include "prune/criterion.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace compress::prune {

/// How the strengths of the weights of a coupled group become one.
enum class Importance { sum, mean, max };

/// What is pruned together: each weight for itself, all weights as the first one (Leader), or the channels that the
/// graph couples.
class Dependency {
public:
  virtual ~Dependency() = default;
  /// `exact`: those of the names that the user wrote out; what cannot be done with them is a problem, while one that a
  /// pattern found is left out with a line in the log. Takes out of `names` what it leaves out.
  virtual void bind(const Graph& graph,
                    std::vector<std::string>& names,
                    const std::vector<std::string>& exact,
                    const analysis::Granularity& granularity,
                    Problems& problems) = 0;
  /// The lists to be ranked. `map` of each is filled in from the masks that the parameters have.
  virtual std::vector<Unit> units(const Graph& graph, const Criterion& criterion, const Moment& moment) const = 0;
  /// Masks by parameter, of the parameters' shapes: each weight's own, and those of all that go with it.
  virtual std::map<std::string, at::Tensor> masks(const Graph& graph, const std::vector<at::Tensor>& maps) const = 0;
  /// The parameters that masks() is about, after bind().
  virtual std::vector<std::string> masked(const Graph& graph) const = 0;
  /// After bind(): what stands in the way of thinning, one line for each coupled group whose weights are pruned apart.
  virtual const std::vector<std::string>& uncoupled() const {
    static const std::vector<std::string> none;
    return none;
  }
  /// What the network costs with these maps.
  virtual Measured measure(const Graph& graph, const std::vector<at::Tensor>& maps) const = 0;

  /// Follows renames, removals and slices.
  virtual void apply(const Changes& changes) = 0;
  virtual train::Memory save() const { return {}; }
  virtual void load(const train::Memory&) {}
};

std::unique_ptr<Dependency> make_independent();
std::unique_ptr<Dependency> make_leader();
std::unique_ptr<Dependency> make_coupled(Importance importance);

}  // namespace compress::prune
