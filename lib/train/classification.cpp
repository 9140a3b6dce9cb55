#include "core/text.h"
#include "train/outputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

namespace compress::train {

namespace {

constexpr int64_t kTopMany = 5;

/// How many classes come before the label: greater logits, equal ones of a lower class (as argmax does), and those that
/// are no number. So a network whose logits are all equal, or NaN, has the accuracy of always guessing class 0, or
/// none.
at::Tensor rank_of(const at::Tensor& logits, const at::Tensor& label) {
  const at::Tensor column = label.unsqueeze(1);
  const at::Tensor own = logits.gather(1, column);
  const at::Tensor earlier = at::arange(logits.size(1), label.options()).unsqueeze(0).lt(column);
  const at::Tensor tied = logits.eq(own).logical_and_(earlier);
  return logits.le(own).logical_not_().logical_or_(tied).sum(1);
}

class ClassificationMeter final : public Meter {
public:
  /// `classes`: of the confusion matrix; 0: none is counted.
  ClassificationMeter(std::string output, std::string label, int64_t classes)
      : output_(std::move(output)), label_(std::move(label)), classes_(classes) {}

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    const at::Tensor logits = outputs.at(output_).detach();
    const at::Tensor& label = batch.at(label_);
    many_ = std::min(kTopMany, logits.size(1));
    const at::Tensor rank = rank_of(logits, label);
    // Sums stay on the device, so that counting does not wait for it.
    accumulate(first_, rank.lt(1).sum());
    accumulate(among_, rank.lt(many_).sum());
    accumulate(loss_, at::cross_entropy_loss(logits, label, {}, at::Reduction::Sum).to(at::kDouble));
    if (classes_ > 0) count_confusions(logits, label);
    samples_ += batch.size;
  }

  Metrics result() const override {
    const auto n = static_cast<double>(samples_);
    const auto share = [&](const at::Tensor& count) { return count.defined() ? 100 * count.item<double>() / n : 0; };
    return {{"top1", share(first_)},
            {fmt::format("top{}", many_), share(among_)},
            {"loss", loss_.defined() ? loss_.item<double>() / n : 0}};
  }

  ConfusionMatrix confusion() const override {
    if (!confusions_.defined()) return {};
    const auto table = confusions_.to(at::kCPU);
    const int64_t* numbers = table.const_data_ptr<int64_t>();
    ConfusionMatrix matrix;
    for (int64_t label = 0; label < classes_; ++label, numbers += classes_)
      matrix.counts.emplace_back(numbers, numbers + classes_);
    return matrix;
  }

private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) { sum = sum.defined() ? sum.add_(more) : more; }

  /// Logits that are no number are no prediction, as in the metrics.
  void count_confusions(const at::Tensor& logits, const at::Tensor& label) {
    if (!confusions_.defined()) confusions_ = at::zeros({classes_ * classes_}, label.options());
    const auto counted = logits.isnan().any(1).logical_not().to(at::kLong);
    confusions_.scatter_add_(0, label.mul(classes_).add(logits.argmax(1)), counted);
  }

  std::string output_, label_;
  int64_t classes_;
  int64_t many_ = kTopMany, samples_ = 0;
  at::Tensor first_, among_, loss_, confusions_;
};

class Classification final : public Task {
public:
  void declare(Settings& s) override {
    s.optional("output", output_, "graph output with the logits; absent: the first");
    s.optional("label", label_, "field with the class, from 0");
    s.optional("label_smoothing", smoothing_,
               "share of the target that is spread over all classes, in training; metrics stay as they are", in(0, 1));
    s.optional("class_weights", class_weights_,
               "weight of each class in the loss of training (its weighted mean); absent: all alike", at_least(0));
    s.optional("confusion_matrix", confusion_matrix_,
               "count how often each class is taken for each other; a run writes confusion.csv for the test split");
  }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    const auto output = output_info(graph, output_);
    if (output.shape.size() != 1)
      throw request_error(
          "task 'classification' needs an output of one number for each class, but '{}' of '{}' is {} for each sample",
          output.name, graph.name, shape_text(output.shape));
    const auto& field = field_info(fields, label_, "classification");
    if (field.type != at::kLong || !field.shape.empty())
      throw request_error("task 'classification' needs one integer as label, but field '{}' of the data is {}", label_,
                          field.shape.empty() ? "no integer" : shape_text(field.shape));
    if (output.shape[0] < field.classes)
      throw request_error("output '{}' of '{}' has {} classes, but field '{}' of the data has {}", output.name,
                          graph.name, output.shape[0], label_, field.classes);
    if (!class_weights_.empty() && std::ssize(class_weights_) != output.shape[0])
      throw request_error(
          "task 'classification': 'class_weights' has {} numbers, but output '{}' of '{}' has {} classes",
          class_weights_.size(), output.name, graph.name, output.shape[0]);
    bound_output_ = output.name;
    classes_ = output.shape[0];
  }

  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    const at::Tensor& logits = outputs.at(bound_output_);
    return at::cross_entropy_loss(logits, batch.at(label_), weights_like(logits), at::Reduction::Mean,
                                  /*ignore_index=*/-100, smoothing_);
  }
  std::unique_ptr<Meter> meter() const override {
    return std::make_unique<ClassificationMeter>(bound_output_, label_, confusion_matrix_ ? classes_ : 0);
  }
  std::string main_metric() const override { return "top1"; }
  bool higher_is_better() const override { return true; }

  void check_batch(const data::Batch& batch) const override {
    const auto labels = batch.at(label_).to(at::kCPU).contiguous();
    const std::span values(labels.const_data_ptr<int64_t>(), static_cast<size_t>(labels.numel()));
    const auto wrong = std::ranges::find_if(values, [&](int64_t label) { return label < 0 || label >= classes_; });
    if (wrong != values.end())
      throw run_error("sample {} of the mini-batch has label {}, but the model's output '{}' has {} classes (0 to {})",
                      wrong - values.begin(), *wrong, bound_output_, classes_, classes_ - 1);
  }

private:
  /// Made once: moving it to a GPU in each step would wait for that.
  std::optional<at::Tensor> weights_like(const at::Tensor& logits) const {
    if (class_weights_.empty()) return {};
    if (!weights_.defined() || weights_.device() != logits.device())
      weights_ = at::tensor(class_weights_, logits.options());
    return weights_;
  }

  std::string output_, label_ = "label", bound_output_;
  double smoothing_ = 0;
  std::vector<double> class_weights_;
  bool confusion_matrix_ = false;
  int64_t classes_ = 0;
  mutable at::Tensor weights_;
};

}  // namespace

extern const Entry<Task> classification{"classification", "one class of several: cross-entropy, top1, top5",
                                        make_component<Task, Classification>};

}  // namespace compress::train
