#include "early_exit/exit_task.h"

#include "early_exit/exit_config.h"
#include "early_exit/leaving.h"
#include "train/outputs.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace compress::early_exit {

namespace {

using train::Outputs;

/// The outputs as a task sees them that knows of one answer only.
Outputs with_answer(const Outputs& outputs, const at::Tensor& logits) {
  Outputs seen;
  for (const auto& [name, value] : outputs) seen.emplace(name, logits);
  return seen;
}

class ExitMeter final : public train::Meter {
public:
  ExitMeter(const train::Task& task, const Exits& exits) : answers_(task.meter()) {
    for (const auto& branch : exits.branches) add_exit(task, branch.name, branch.output, branch.threshold);
    add_exit(task, kFinal, exits.final_output, 1);
  }

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    at::Tensor answer, inside;
    for (auto& exit : exits_) {
      const at::Tensor logits = outputs.at(exit.output).detach();
      if (!inside.defined()) inside = at::ones({logits.size(0)}, logits.options().dtype(at::kBool));
      const auto leaving = leaves(logits, exit.threshold).logical_and_(inside);
      const auto rows = leaving.unsqueeze(1);
      exit.all->add(with_answer(outputs, logits), batch);
      // Logits that are no number are no prediction, so only those who leave can be counted.
      exit.leaving->add(with_answer(outputs, logits.masked_fill(rows.logical_not(), kNaN)), batch);
      const auto count = leaving.sum();
      exit.count = exit.count.defined() ? exit.count.add_(count) : count;
      answer = answer.defined() ? logits.where(rows, answer) : logits;
      inside = inside.logical_and(leaving.logical_not());
    }
    answers_->add(with_answer(outputs, answer), batch);
    samples_ += batch.size;
  }

  train::Metrics result() const override {
    auto metrics = answers_->result();
    for (const auto& exit : exits_) {
      const auto note = [&](const char* what, double value) {
        metrics.emplace_back(metric_name(exit.name, what), value);
      };
      note("top1", train::metric(exit.all->result(), "top1"));
      note("share", exit.count.defined()
                        ? 100 * static_cast<double>(exit.count.item<int64_t>()) / static_cast<double>(samples_)
                        : 0);
      note("correct", train::metric(exit.leaving->result(), "top1"));
    }
    return metrics;
  }

  train::ConfusionMatrix confusion() const override { return answers_->confusion(); }

private:
  static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  struct Counted {
    std::string name, output;
    double threshold;
    std::unique_ptr<train::Meter> all, leaving;
    at::Tensor count = {};  ///< of those who left; stays on the device
  };

  void add_exit(const train::Task& task, const std::string& name, const std::string& output, double threshold) {
    exits_.push_back(
        {.name = name, .output = output, .threshold = threshold, .all = task.meter(), .leaving = task.meter()});
  }

  std::unique_ptr<train::Meter> answers_;
  std::vector<Counted> exits_;
  int64_t samples_ = 0;
};

class TaskWithExits final : public train::Task {
public:
  TaskWithExits(std::unique_ptr<train::Task> task, Exits exits, Place place)
      : task_(std::move(task)), exits_(std::move(exits)), place_(std::move(place)) {
    std::vector<double> weights;
    for (const auto& branch : exits_.branches) weights.push_back(branch.loss_weight);
    final_weight_ = final_loss_weight(weights);
  }

  void declare(Settings& settings) override { task_->declare(settings); }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    if (!chooses_a_class())
      throw request_error("early exits are for the task 'classification': what leaves early is sure of one class")
          .at(place_)
          .hint("leave 'early_exits' out, or set 'training.task: {class: classification}'");
    task_->bind(graph, fields);
    const auto shape = train::output_info(graph, exits_.final_output).shape;
    for (const auto& branch : exits_.branches)
      if (train::output_info(graph, branch.output).shape != shape)
        throw request_error("exit '{}' does not know the classes of output '{}'", branch.name, exits_.final_output)
            .at(place_);
  }

  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    const auto loss_of = [&](const std::string& output) {
      return task_->loss(with_answer(outputs, outputs.at(output)), batch);
    };
    auto total = loss_of(exits_.final_output).mul(final_weight_);
    for (const auto& branch : exits_.branches)
      if (branch.loss_weight > 0) total = total.add(loss_of(branch.output), branch.loss_weight);
    return total;
  }

  std::unique_ptr<train::Meter> meter() const override { return std::make_unique<ExitMeter>(*task_, exits_); }
  std::string main_metric() const override { return task_->main_metric(); }
  bool higher_is_better() const override { return task_->higher_is_better(); }
  void check_batch(const data::Batch& batch) const override { task_->check_batch(batch); }

private:
  bool chooses_a_class() const { return task_->main_metric() == "top1"; }

  std::unique_ptr<train::Task> task_;
  Exits exits_;
  Place place_;
  double final_weight_ = 1;
};

}  // namespace

std::unique_ptr<train::Task> with_exits(std::unique_ptr<train::Task> task, const Graph& graph, const Place& place) {
  auto exits = exits_of(graph);
  if (exits.empty()) return task;
  return std::make_unique<TaskWithExits>(std::move(task), std::move(exits), place);
}

std::string metric_name(const std::string& exit, std::string_view what) {
  return fmt::format("{}.{}", exit_stem(exit), what);
}

}  // namespace compress::early_exit
