#pragma once

#include "core/settings.h"
#include "train/hook.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace compress::exec {
class Plan;
}

namespace compress::train {

/// The `training:` section.
struct TrainingConfig {
  std::optional<int64_t> epochs;  ///< absent: the largest ending_epoch of the policies
  int64_t seed = 1;
  std::string device = "cpu";                 ///< cpu, cuda, cuda:N
  int64_t threads = 0;                        ///< 0: LibTorch's choice, one per core
  Yaml optimizer;                             ///< {class: SGD, lr: 0.1, ...}; absent: SGD with its defaults
  Yaml task;                                  ///< {class: classification}; absent: the data set's
  std::map<std::string, std::string> inputs;  ///< model.inputs: graph input -> field; absent: by name, else by order
  void declare(Settings& settings);
};

/// Throws a request error when LibTorch here lacks the device.
at::Device parse_device(const std::string& text);
/// Threads of LibTorch's kernels; 0 leaves its choice.
void set_threads(int64_t threads);

/// Evaluates a graph on a data set: metrics of the task, plus "samples" and "images_per_second" in the report.
struct Evaluation {
  Metrics metrics;
  int64_t samples = 0;
  double seconds = 0;
};
struct EvaluateOptions {
  int64_t batch_size = 128;
  at::Device device = at::kCPU;
  std::string title = "eval";
  std::map<std::string, std::string> inputs = {};
};
/// Throws a request error when task or inputs do not fit, Error(Fault::interrupted) on Ctrl-C.
Evaluation
evaluate(const Graph& graph, const data::DatasetPtr& dataset, const Task& task, const EvaluateOptions& options);

/// The field for each of the graph's inputs. `inputs` maps graph input -> field; without it the same name, else the
/// only field that is no target. Throws a request error listing inputs and fields, or when the shapes differ.
std::vector<std::string> match_inputs(const Graph& graph,
                                      const std::vector<data::FieldInfo>& fields,
                                      const std::map<std::string, std::string>& inputs);
/// The graph's inputs taken from a batch, in the graph's order, matched as above.
std::vector<at::Tensor> graph_inputs(const Graph& graph,
                                     const data::Batch& batch,
                                     const std::map<std::string, std::string>& inputs,
                                     at::Device device);

/// The training loop. It knows no compression: hooks do that.
class Trainer {
public:
  /// Changes nothing yet. Throws a request error when task, inputs or device do not fit.
  Trainer(Graph& graph,
          const data::Splits& data,
          Task& task,
          Optimizer& optimizer,
          Hook& hook,
          const TrainingConfig& config,
          int64_t epochs,
          int64_t batch_size,
          int64_t prefetch);
  ~Trainer();

  /// Called after each epoch (checkpoint, metrics), and after each mini-batch.
  std::function<void(const State&)> after_epoch;
  std::function<void(const State&)> after_minibatch;

  /// Trains from `first_epoch`. Throws run_error on a loss that is not finite, naming epoch, batch and the first value
  /// that is not finite; Error(Fault::interrupted) on Ctrl-C.
  void run(int64_t first_epoch = 0);

  State& state() { return state_; }

private:
  void train_epoch();
  void train_minibatch(const data::Batch& batch);
  void forward(const data::Batch& batch);
  void follow_graph();
  void follow_lr();
  void check_losses();
  void validate();

  TrainingConfig config_;
  Task& task_;
  Hook& hook_;
  int64_t batch_size_, prefetch_;
  State state_;
  std::unique_ptr<exec::Plan> plan_;
  std::vector<std::pair<int64_t, at::Tensor>> unchecked_losses_;  ///< with their mini-batch
  double last_loss_ = 0, lr_factor_ = 1;
};

}  // namespace compress::train
