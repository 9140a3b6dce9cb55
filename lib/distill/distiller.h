#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"
#include "train/hook.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace compress::distill {

/// Opens a model as the command line does: zoo name, ONNX file or run directory.
using OpenModel = std::function<Graph(const std::string& spec)>;

/// Changes the loss by what a teacher says of the same inputs. One file and one line in distillers.def each.
class Distiller {
public:
  virtual ~Distiller() = default;
  virtual void declare(Settings& settings) = 0;
  /// Contradictions among arguments; `starting_epoch` is the policy's.
  virtual void check(int64_t) const {}
  /// Opens the teacher and checks that inputs, outputs and values fit the student's.
  virtual void bind(const Graph& student, const OpenModel& open, int64_t starting_epoch, Problems& problems) = 0;
  /// The weight that it gives to the loss on the labels; none: it leaves that loss alone. The weighting happens once,
  /// however many distillers ask for it, so those that act in one epoch must agree.
  virtual std::optional<double> label_weight() const { return {}; }
  /// Values of the student that before_backward_pass finds in state.values.
  virtual std::vector<std::string> observed(const train::State&) const { return {}; }
  /// At the beginning of every epoch, active or not, before any policy acts.
  virtual void before_epoch(train::State&) {}
  /// Replaces state.loss and adds to state.loss_terms.
  virtual void before_backward_pass(train::State& state) = 0;
  /// Where what the distiller itself learns takes its step.
  virtual void before_parameter_optimization(train::State&) {}
  /// An edit of the student's graph.
  virtual void apply(const Changes&) {}
  virtual train::Memory save() const { return {}; }
  virtual void load(const train::Memory&) {}
};
const Registry<Distiller>& distillers();

}  // namespace compress::distill
