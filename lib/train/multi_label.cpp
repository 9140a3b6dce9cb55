#include "core/text.h"
#include "train/outputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace compress::train {

namespace {

/// The area under precision over recall, by steps: the mean precision at each true sample, samples of equal score
/// together (as scikit-learn's average_precision_score). `truth` is 0 or 1; NaN when nothing is true. Scores that are
/// no number come last.
double average_precision(std::vector<float> scores, const std::vector<float>& truth) {
  for (float& score : scores)
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  double found = 0, found_before = 0, sum = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    found += truth[order[i]];
    const bool last_of_equals = i + 1 == order.size() || scores[order[i + 1]] != scores[order[i]];
    if (!last_of_equals) continue;
    sum += (found - found_before) * found / static_cast<double>(i + 1);
    found_before = found;
  }
  return sum / found;
}

std::vector<float> column_of(const at::Tensor& table, int64_t column) {
  const at::Tensor numbers = table.select(1, column).contiguous();
  return {numbers.const_data_ptr<float>(), numbers.const_data_ptr<float>() + numbers.numel()};
}

class MultiLabelMeter final : public Meter {
public:
  MultiLabelMeter(std::string output, std::string labels, double threshold)
      : output_(std::move(output)), labels_(std::move(labels)), threshold_(threshold) {}

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    const at::Tensor logits = outputs.at(output_).detach().to(at::kFloat);
    const at::Tensor truth = batch.at(labels_).to(at::kFloat);
    logits_.push_back(logits);
    truth_.push_back(truth);
    const at::Tensor chosen = logits.sigmoid().ge(threshold_), right = truth.ge(0.5);
    accumulate(chosen_, chosen.sum());
    accumulate(true_, right.sum());
    accumulate(both_, chosen.logical_and(right).sum());
    accumulate(agree_, chosen.eq(right).sum());
    accumulate(loss_, at::binary_cross_entropy_with_logits(logits, truth, {}, {}, at::Reduction::Sum).to(at::kDouble));
    numbers_ += logits.numel();
  }

  Metrics result() const override {
    const auto count = [](const at::Tensor& sum) { return sum.defined() ? sum.item().toDouble() : 0; };
    const auto n = static_cast<double>(std::max<int64_t>(1, numbers_));
    const double marked = count(chosen_) + count(true_);
    return {{"map", mean_average_precision()},
            {"micro_f1", marked > 0 ? 200 * count(both_) / marked : 0},
            {"label_accuracy", 100 * count(agree_) / n},
            {"loss", count(loss_) / n}};
  }

private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) { sum = sum.defined() ? sum.add_(more) : more; }

  /// Over the labels that are true somewhere.
  double mean_average_precision() const {
    if (logits_.empty()) return 0;
    const at::Tensor logits = at::cat(logits_).to(at::kCPU), truth = at::cat(truth_).to(at::kCPU);
    double sum = 0, labels = 0;
    for (int64_t label = 0; label < logits.size(1); ++label) {
      const double precision = average_precision(column_of(logits, label), column_of(truth, label));
      if (std::isnan(precision)) continue;
      sum += precision;
      ++labels;
    }
    return labels > 0 ? 100 * sum / labels : 0;
  }

  std::string output_, labels_;
  double threshold_;
  int64_t numbers_ = 0;
  std::vector<at::Tensor> logits_, truth_;
  at::Tensor chosen_, true_, both_, agree_, loss_;
};

class MultiLabel final : public Task {
public:
  void declare(Settings& s) override {
    s.optional("output", output_, "graph output with the logits; absent: the first");
    s.optional("labels", labels_, "field with a 0 or 1 for each label");
    s.optional("threshold", threshold_, "probability from which on a label counts as found (micro_f1, label_accuracy)",
               {.low = 0, .high = 1, .open_low = true, .open_high = true});
  }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    const auto output = output_info(graph, output_);
    const auto& field = field_info(fields, labels_, "multi_label");
    if (output.shape.size() != 1)
      throw request_error(
          "task 'multi_label' needs an output of one number for each label, but '{}' of '{}' is {} for each sample",
          output.name, graph.name, shape_text(output.shape));
    if (field.shape != output.shape)
      throw request_error("task 'multi_label': output '{}' of '{}' has {} labels, but field '{}' of the data is {}",
                          output.name, graph.name, output.shape[0], labels_, shape_text(field.shape))
          .hint("the field holds a 0 or 1 for each label");
    bound_output_ = output.name;
  }

  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    const auto& logits = outputs.at(bound_output_);
    return at::binary_cross_entropy_with_logits(logits, batch.at(labels_).to(logits.scalar_type()));
  }
  std::unique_ptr<Meter> meter() const override {
    return std::make_unique<MultiLabelMeter>(bound_output_, labels_, threshold_);
  }
  std::string main_metric() const override { return "map"; }
  bool higher_is_better() const override { return true; }

  void check_batch(const data::Batch& batch) const override {
    const at::Tensor values = batch.at(labels_).to(at::kCPU, at::kFloat).contiguous();
    const std::span numbers(values.const_data_ptr<float>(), static_cast<size_t>(values.numel()));
    const auto wrong = std::ranges::find_if(numbers, [](float number) { return number != 0 && number != 1; });
    if (wrong == numbers.end()) return;
    const auto labels = values.size(1), at = wrong - numbers.begin();
    throw run_error("sample {} of the mini-batch has {} for label {} in field '{}'; labels are 0 or 1", at / labels,
                    *wrong, at % labels, labels_);
  }

private:
  std::string output_, labels_ = "labels", bound_output_;
  double threshold_ = 0.5;
};

}  // namespace

extern const Entry<Task> multi_label{
    "multi_label", "any number of labels: binary cross-entropy, mean average precision (map), micro_f1",
    make_component<Task, MultiLabel>};

}  // namespace compress::train
