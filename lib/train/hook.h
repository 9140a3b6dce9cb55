#pragma once

#include "data/dataset.h"
#include "graph/graph.h"
#include "train/optimizer.h"
#include "train/task.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace compress::train {

class WeightAverages;
struct TrainingConfig;

/// What a hook sees and may change. Valid during the call only.
struct State {
  Graph& graph;
  Optimizer& optimizer;
  const data::Splits& data;
  const Task& task;
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  int64_t epoch = 0, epochs = 0;              ///< from 0
  int64_t minibatch = 0, minibatches = 0;     ///< in this epoch, from 0
  int64_t step = 0;                           ///< mini-batches since the start of training
  const data::Batch* batch = nullptr;         ///< the present mini-batch, or part of it
  std::vector<at::Tensor> inputs;             ///< as given to the graph
  std::map<std::string, at::Tensor> outputs;  ///< of the forward pass, by graph output name
  /// Of the forward pass: the values that Hook::observed() asked for, by name, with gradients, in single precision at
  /// least; from before_backward_pass to the backward pass.
  std::map<std::string, at::Tensor> values;
  at::Tensor loss;  ///< before_backward_pass: add to it
  /// before_backward_pass: whoever weighs the loss on the labels against another one notes the weight here, so that of
  /// several teachers only the first does it.
  std::optional<double> label_weight = {};
  /// Named parts of the loss, numbers that stay on the device; their means over the epoch go to the log.
  std::vector<std::pair<std::string, at::Tensor>> loss_terms;
  Metrics training, validation;         ///< on_epoch_end; validation is empty when there is no such split
  Metrics mean_loss_terms;              ///< on_epoch_end
  double lr_factor = 1;                 ///< learning-rate policies set it
  double lr_scale = 1;                  ///< on top of it; stays until another value is set
  std::optional<double> momentum = {};  ///< the same, in place of the optimiser's own
  bool lr_per_batch = false;
  /// On every learning rate.
  double lr_multiplier() const { return lr_factor * lr_scale; }

  WeightAverages* averages = nullptr;  ///< with training.ema
  const TrainingConfig* config = nullptr;
  int64_t batch_size = 128, prefetch = 2;
  std::filesystem::path directory = {};  ///< of the run, for files of a hook's own; empty: there is none

  /// Call after an edit of the graph: the optimiser's state and the averages follow at once; the scheduler tells the
  /// other policies.
  void apply(const Changes& made);
  std::vector<Changes> changes;  ///< made by hooks, not yet told to the other policies
};

/// What a hook keeps across a resume.
struct Memory {
  nlohmann::json values;
  std::map<std::string, at::Tensor> tensors;
};

/// Called at fixed moments of training, in this order:
/// on_training_begin, [on_epoch_begin, [on_minibatch_begin, (forward, loss), before_backward_pass, (zero_grad,
/// backward), before_parameter_optimization, (optimiser step), on_minibatch_end]*, (validate), on_epoch_end]*,
/// on_training_end.
///
/// A mini-batch is what one step of the optimiser learns from. With training.accumulate it comes in parts, and forward,
/// loss, before_backward_pass and backward happen for each of them.
class Hook {
public:
  virtual ~Hook() = default;
  virtual void on_training_begin(State&) {}
  virtual void on_epoch_begin(State&) {}
  virtual void on_minibatch_begin(State&) {}
  /// Names of values (a value is named after its node) that before_backward_pass will find in State::values. Asked for
  /// behind each on_minibatch_begin; what it names must be in the graph. Values nobody asks for cost nothing.
  virtual std::vector<std::string> observed(const State&) const { return {}; }
  virtual void before_backward_pass(State&) {}
  virtual void before_parameter_optimization(State&) {}
  virtual void on_minibatch_end(State&) {}
  virtual void on_epoch_end(State&) {}
  virtual void on_training_end(State&) {}
  /// Everything that matters for going on with the same bits.
  virtual Memory save() const { return {}; }
  virtual void load(const Memory&) {}
};

}  // namespace compress::train
