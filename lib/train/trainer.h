#pragma once

#include "core/settings.h"
#include "train/freeze.h"
#include "train/hook.h"
#include "train/precision.h"
#include "train/weight_averages.h"

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
  std::string device = "cpu";  ///< cpu, cuda, cuda:N
  int64_t threads = 0;         ///< 0: LibTorch's choice, one per core
  Precision precision = Precision::float32;
  Yaml optimizer;          ///< {class: SGD, lr: 0.1, ...}; absent: SGD with its defaults
  Yaml task;               ///< {class: classification}; absent: the data set's
  int64_t accumulate = 1;  ///< batches of the loader to a step of the optimiser
  std::optional<double> clip_norm, clip_value;
  std::optional<EmaConfig> ema;
  Freeze freeze;
  bool freeze_statistics = true;
  int64_t num_best_scores = 1;                ///< best epochs to report
  std::map<std::string, std::string> inputs;  ///< model.inputs: graph input -> field; absent: by name, else by order
  void declare(Settings& settings);
  /// Refuses settings that contradict each other (request error).
  void check() const;
};

/// Throws a request error when LibTorch here lacks the device.
at::Device parse_device(const std::string& text);
/// Threads of LibTorch's kernels; 0 leaves its choice.
void set_threads(int64_t threads);

/// Evaluates a graph on a data set: metrics of the task, plus "samples" and "images_per_second" in the report.
struct Evaluation {
  Metrics metrics;
  ConfusionMatrix confusion;  ///< when the task counts one
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

  /// The network that is validated, kept as the best, and that training ends with: a clone of the graph, with the
  /// averages of training.ema in it when they apply.
  Graph result() const;
  /// Puts the averages of training.ema into the graph, when they apply: at the end of training.
  void take_averages();
  /// Null without training.ema.
  const WeightAverages* averages() const { return averages_ ? &*averages_ : nullptr; }

  /// What the trainer itself keeps across a resume: averages, the scale of float16's loss.
  Memory save() const;
  void load(const Memory& memory);

private:
  void train_epoch();
  void train_batch(const data::Batch& batch);
  void sum_loss_terms();
  void mean_loss_terms();
  void begin_minibatch();
  void end_minibatch();
  void forward(const data::Batch& batch);
  void backward(const data::Batch& batch);
  bool optimize();
  bool averages_apply() const { return averages_ && averages_->config().apply; }
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
  std::vector<std::string> observed_;  ///< values that hooks asked for, which the plan shows
  std::optional<WeightAverages> averages_;
  std::optional<LossScaler> scaler_;
  std::map<std::string, at::Tensor> loss_term_sums_;
  int64_t batch_ = 0, batches_ = 0;  ///< of the loader, in this epoch; `accumulate` of them are a mini-batch
  std::vector<std::pair<int64_t, at::Tensor>> unchecked_losses_;  ///< with their batch
  double last_loss_ = 0, lr_factor_ = 1;
  std::optional<double> momentum_;
};

}  // namespace compress::train
