#pragma once

#include "exec/plan.h"
#include "graph/graph.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress::exec {

/// Where a step finds an operand: a slot of the run, a tensor that the program holds, or nowhere (absent).
struct Operand {
  enum class Kind { absent, slot, constant };
  Kind kind = Kind::absent;
  int index = 0;
};

/// One kernel call. The outputs of a step lie in consecutive slots.
struct Step {
  std::string node;  ///< the node whose value it makes: the last of those it computes
  std::string what;  ///< "Conv + BatchNormalization + Relu"
  ops::Kernel kernel;
  ops::Kernel overwriting = {};  ///< during compilation: the same, but may write the result over its last input
  std::vector<Operand> inputs;
  int first_output = 0;
  int outputs = 1;
  std::vector<int> freed;     ///< slots that nobody reads any more after this step
  std::vector<int> observed;  ///< slots that the observer sees after this step
};

/// A compiled graph. Slots 0 ... inputs-1 are the graph's inputs.
struct Program {
  std::string graph;
  ops::Mode mode = ops::Mode::eval;
  std::vector<GraphInput> inputs;
  std::vector<Step> steps;
  std::vector<std::string> slots;     ///< the value that each slot holds
  std::vector<at::Tensor> constants;  ///< parameters, and in evaluation what follows from parameters alone
  std::map<std::string, int> held;    ///< where in `constants` a parameter or such a value is
  std::vector<Operand> outputs;
  /// By node: the first step that depends on this node or on one behind it; runs up to a node stop before it.
  std::map<std::string, size_t, std::less<>> cuts;
  std::vector<std::string> observed_inputs;  ///< graph inputs (by name) that the observer sees
  std::vector<std::pair<std::string, at::Tensor>>
      observed_constants;  ///< observed values that follow from parameters alone
  bool channels_last = false;
  int64_t slice = 0;  ///< samples to run at a time; 0: the whole batch
};

Program compile(const Graph& graph, const PlanOptions& options);

/// Takes over new values of parameters (same shapes); see Plan::refresh.
void refresh(Program& program, const Graph& graph, const PlanOptions& options, std::span<const std::string> parameters);

/// Runs steps first ... last-1 on the slots.
void execute(
    const Program& program, size_t first, size_t last, std::vector<at::Tensor>& slots, const Observer& observer);

}  // namespace compress::exec
