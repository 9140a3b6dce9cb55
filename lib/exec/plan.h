#pragma once

#include "graph/graph.h"
#include "ops/op.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress::exec {

using ops::Mode;
using Tensors = std::vector<at::Tensor>;
/// Called with a value's name and its tensor at the moment it is made (once per slice of the batch).
using Observer = std::function<void(std::string_view name, const at::Tensor& value)>;

struct PlanOptions {
  Mode mode = Mode::eval;
  /// Values that `observer` sees; they are never fused away.
  std::vector<std::string> observe = {};
  Observer observer = {};
  /// Evaluation only: fold batch-norm, fuse activation and add, prepack weights, run the batch in slices that stay in
  /// cache.
  bool optimize = true;
  /// Training only: nodes that run as in evaluation, with gradients (batch-norm whose statistics stay).
  std::vector<std::string> frozen = {};
};

/// A graph compiled to a list of kernel calls over numbered slots; running it looks nothing up by name.
///
/// An eval plan is a snapshot: it holds the parameters as they were (folded, prepacked), so compile one per evaluation,
/// or refresh() it.
/// A train plan reads and (batch-norm statistics, ranges) writes the graph's own tensors; it is stale once
/// graph.version() has changed. The memory format (channels-last for networks with 2-D convolutions) is a function of
/// graph and options alone.
class Plan {
public:
  Plan(const Graph& graph, PlanOptions options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  /// Takes over the present values of these parameters (of the same shapes) and makes anew only what depends on them:
  /// packed weights, folded batch-norm, constants. `graph` is the one that was compiled, or one of the same nodes;
  /// throws a run error when they are others. Not while another thread runs the plan. Train plans need none.
  void refresh(const Graph& graph, std::span<const std::string> parameters);

  /// Inputs and outputs in the graph's order. Eval plans run without gradients.
  Tensors run(std::span<const at::Tensor> inputs) const;

  /// The values alive just before a node runs; what run_from() needs to go on from there.
  struct Live {
    std::vector<std::pair<std::string, at::Tensor>> values;
  };
  /// Prefix reuse: run up to (not including) `node` once ...
  Live run_until(std::string_view node, std::span<const at::Tensor> inputs) const;
  /// ... and the rest as often as wished, also in another plan of the same graph whose parameters from `node` on
  /// differ.
  Tensors run_from(std::string_view node, const Live& live) const;
  /// From one node up to a later one: what run_until() would give for it.
  Live run_between(std::string_view from, const Live& live, std::string_view to) const;

  uint64_t version() const;  ///< of the graph at compilation
  /// One line per step: what was fused, what is freed.
  std::string str() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Runs one node's kernel on tensors; for constant folding, calibration of single nodes and tests.
Tensors run_node(const Node& node, std::span<const at::Tensor> inputs, Mode mode = Mode::eval);

/// Copies a tensor into the format that training of this graph uses (4-D convolution weights channels-last), on the
/// device.
void prepare_parameters(Graph& graph, at::Device device);

}  // namespace compress::exec
