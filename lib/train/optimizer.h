#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace compress::train {

/// Parameters whose name matches a pattern get other values. The first group that matches counts.
struct ParameterGroup {
  std::vector<std::string> parameters;  ///< names or patterns with '*'
  std::optional<double> lr, weight_decay, momentum;
  Place place;
};

/// An optimiser over a graph's trainable parameters, with its state keyed by parameter *name* (LibTorch keys by
/// pointer), so that it follows renames, slices and exchanged tensors.
class Optimizer {
public:
  virtual ~Optimizer() = default;
  virtual void declare(Settings& settings) = 0;
  /// (Re-)binds to the graph's present tensors, keeping the state of names that stay; the graph owns its storage from
  /// then on, and its trainable parameters take gradients. Call it when graph.version() changed. Throws a request error
  /// when arguments contradict each other or, the first time, when a group's name or pattern matches no trainable
  /// parameter.
  virtual void bind(Graph& graph) = 0;
  /// Parameters whose name matches one of these patterns do not learn: they get neither gradients nor state. Takes
  /// effect with the next bind().
  virtual void freeze(std::vector<std::string> patterns) = 0;
  /// A group behind those of the recipe, in place of an earlier one with the same patterns. True when it is not there
  /// already; it takes effect with the next bind().
  virtual bool add_group(ParameterGroup group) = 0;
  virtual void zero_grad() = 0;
  virtual void step() = 0;
  /// Factor on the declared learning rate (of every group); 1 at the start.
  virtual void set_lr_factor(double factor) = 0;
  /// In place of every group's declared momentum (Adam: the first of its betas); nothing brings the declared ones back.
  virtual void set_momentum(std::optional<double> momentum) = 0;
  virtual double base_lr() const = 0;
  virtual double lr() const = 0;
  /// Follows slices, renames and removals in the state tensors that have the parameter's shape. bind() must come before
  /// the next step.
  virtual void apply(const Changes& changes) = 0;
  /// "momentum_buffer/conv1.weight" -> tensor, and back.
  virtual std::map<std::string, at::Tensor> state() const = 0;
  virtual void load_state(const std::map<std::string, at::Tensor>& state) = 0;
};
const Registry<Optimizer>& optimizers();

/// Makes an optimiser from `training.optimizer`: {class: SGD, lr: 0.1, ...}; SGD with its defaults when the section is
/// absent. Throws a request error.
std::unique_ptr<Optimizer> make_optimizer(const Yaml& section);

}  // namespace compress::train
