#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compress::passes {

/// Takes a graph and leaves a graph. One file and one line in passes.def each.
class Pass {
public:
  virtual ~Pass() = default;
  virtual void declare(Settings&) {}
  /// Edits the graph and says what became of its parameters.
  virtual Changes run(Graph& graph) = 0;
};
const Registry<Pass>& passes();

/// Runs one pass, logs its time and verifies what it leaves. An error names the pass; a law of graphs that it broke is
/// its own fault.
Changes run(Pass& pass, std::string_view name, Graph& graph);

/// A pass with the name it is called by.
struct Step {
  std::string name;
  std::unique_ptr<Pass> pass;
};
/// The steps with default arguments. Throws a request error for an unknown name.
std::vector<Step> make_steps(const std::vector<std::string>& names);

struct RunOptions {
  std::vector<std::string> skip = {};  ///< names of passes to leave out
  std::string stop_before = {};        ///< the pass at which to stop; "" runs all
};
/// Runs the steps in order. Throws a request error when an option names no step.
Changes run_all(const std::vector<Step>& steps, Graph& graph, const RunOptions& options = {});

}  // namespace compress::passes
