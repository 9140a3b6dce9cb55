#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compress::passes {

/// Opens a model as the command line does: zoo name, ONNX file or run directory.
using OpenModel = std::function<Graph(const std::string& spec)>;

/// Calls `consume` with the graph's inputs, batch by batch, of training (never test) samples.
using Batches = std::function<void(const std::function<void(const std::vector<at::Tensor>& inputs)>& consume)>;

/// The training samples that a pass looks at; most look at none.
struct SampleNeed {
  int64_t samples = 0;
  int64_t batch_size = 128;
};

/// Takes a graph and leaves a graph. One file and one line in passes.def each.
class Pass {
public:
  virtual ~Pass() = default;
  virtual void declare(Settings&) {}
  /// Resolves names and opens files, before anything runs: in a recipe against the network that training begins with.
  /// Problems: request errors.
  virtual void bind(const Graph&, const OpenModel&, Problems&) {}
  /// The epoch at whose beginning whoever runs the pass keeps all floating-point parameters; none for most passes.
  virtual std::optional<int64_t> remembers() const { return {}; }
  /// Before run(): those parameters, with edits of the graph since then followed.
  virtual void recall(const std::map<std::string, at::Tensor>&) {}
  /// True when training starts afresh behind the pass: the optimiser forgets its state.
  virtual bool resets_optimizer() const { return false; }
  /// Whoever runs a pass that needs samples gives them to it before.
  virtual SampleNeed needs() const { return {}; }
  virtual void look_at(Batches) {}
  /// False when the network is as large and as fine as before: such a pass does not delay the choice of the best epoch.
  virtual bool compresses() const { return true; }
  /// True when it removes what pruning has masked.
  virtual bool thins() const { return false; }
  /// True when it puts quantisers on the network.
  virtual bool quantizes() const { return false; }
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
