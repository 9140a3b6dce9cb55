#include "core/text.h"
#include "train/outputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bincount.h>
#include <ATen/ops/cross_entropy_loss.h>

#include <algorithm>

namespace compress::train {

namespace {

/// The sum of the losses of all pixels whose class is known.
at::Tensor pixel_losses(const at::Tensor& logits, const at::Tensor& mask, int64_t ignored) {
  return at::cross_entropy_loss(logits, mask, {}, at::Reduction::Sum, ignored);
}

/// Counts pixels by true class (row) and found class (column; the last one: none, because a logit is no number).
class SegmentationMeter final : public Meter {
public:
  SegmentationMeter(std::string output, std::string mask, int64_t classes, int64_t ignored)
      : output_(std::move(output)), mask_(std::move(mask)), classes_(classes), ignored_(ignored) {}

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    const at::Tensor logits = outputs.at(output_).detach(), mask = batch.at(mask_).to(at::kLong);
    const at::Tensor found = logits.argmax(1).masked_fill(logits.isnan().any(1), classes_);
    const at::Tensor known = mask.ne(ignored_);
    const at::Tensor cells = mask.mul(classes_ + 1).add_(found).masked_select(known);
    accumulate(counts_, at::bincount(cells, {}, classes_ * (classes_ + 1)));
    accumulate(loss_, pixel_losses(logits, mask, ignored_).to(at::kDouble));
  }

  Metrics result() const override {
    if (!counts_.defined()) return {{"miou", 0}, {"pixel_accuracy", 0}, {"loss", 0}};
    const at::Tensor table = counts_.to(at::kCPU, at::kDouble).view({classes_, classes_ + 1});
    const double pixels = std::max(1.0, table.sum().item<double>());
    const at::Tensor right = table.narrow(1, 0, classes_).diagonal();
    const at::Tensor either = table.sum(1) + table.narrow(1, 0, classes_).sum(0) - right;
    const double classes = either.gt(0).sum().item().toDouble();
    return {{"miou", 100 * right.div(either.clamp_min(1)).sum().item<double>() / std::max(1.0, classes)},
            {"pixel_accuracy", 100 * right.sum().item<double>() / pixels},
            {"loss", loss_.item<double>() / pixels}};
  }

private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) { sum = sum.defined() ? sum.add_(more) : more; }

  std::string output_, mask_;
  int64_t classes_, ignored_;
  at::Tensor counts_, loss_;
};

class Segmentation final : public Task {
public:
  void declare(Settings& s) override {
    s.optional("output", output_, "graph output with the logits [classes, height, width]; absent: the first");
    s.optional("mask", mask_, "field with the class of each pixel, from 0");
    s.optional("ignore_index", ignored_, "value of the mask where the class is not known");
  }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    const auto output = output_info(graph, output_);
    const auto& field = field_info(fields, mask_, "segmentation");
    if (output.shape.size() != 3)
      throw request_error("task 'segmentation' needs an output of [classes, height, width], but '{}' of '{}' is {} for "
                          "each sample",
                          output.name, graph.name, shape_text(output.shape));
    if (field.shape.size() != 2 || (field.type != at::kLong && field.type != at::kByte))
      throw request_error("task 'segmentation' needs an integer for each pixel, but field '{}' of the data is {} of {}",
                          mask_, shape_text(field.shape),
                          field.type == at::kFloat ? "floating-point numbers" : "integers");
    if (output.shape[1] != field.shape[0] || output.shape[2] != field.shape[1])
      throw request_error("task 'segmentation': output '{}' of '{}' has {}x{} pixels, but field '{}' of the data {}",
                          output.name, graph.name, output.shape[1], output.shape[2], mask_, shape_text(field.shape))
          .hint("end the network with a Resize to the mask's size");
    if (output.shape[0] < field.classes)
      throw request_error("output '{}' of '{}' has {} classes, but field '{}' of the data has {}", output.name,
                          graph.name, output.shape[0], mask_, field.classes);
    if (ignored_ >= 0 && ignored_ < output.shape[0])
      throw request_error("task 'segmentation': ignore_index {} is one of the {} classes of output '{}'", ignored_,
                          output.shape[0], output.name)
          .hint("choose a number that no mask has, for example -1");
    bound_output_ = output.name;
    classes_ = output.shape[0];
  }

  /// The mean over the pixels whose class is known; 0 when there is none.
  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    const at::Tensor mask = batch.at(mask_).to(at::kLong);
    return pixel_losses(outputs.at(bound_output_), mask, ignored_) / mask.ne(ignored_).sum().clamp_min(1);
  }
  std::unique_ptr<Meter> meter() const override {
    return std::make_unique<SegmentationMeter>(bound_output_, mask_, classes_, ignored_);
  }
  std::string main_metric() const override { return "miou"; }
  bool higher_is_better() const override { return true; }

  void check_batch(const data::Batch& batch) const override {
    const at::Tensor mask = batch.at(mask_).to(at::kCPU).contiguous();
    if (mask.scalar_type() == at::kByte)
      check_pixels_of<uint8_t>(mask);
    else
      check_pixels_of<int64_t>(mask);
  }

private:
  template <class T>
  void check_pixels_of(const at::Tensor& mask) const {
    const std::span values(mask.const_data_ptr<T>(), static_cast<size_t>(mask.numel()));
    const auto wrong = std::ranges::find_if(
        values, [&](int64_t value) { return (value < 0 || value >= classes_) && value != ignored_; });
    if (wrong == values.end()) return;
    const int64_t at = wrong - values.begin(), area = mask.size(1) * mask.size(2), inside = at % area;
    throw run_error("sample {} of the mini-batch has class {} at row {}, column {} of its mask, but the model's output "
                    "'{}' has {} classes (0 to {})",
                    at / area, static_cast<int64_t>(*wrong), inside / mask.size(2), inside % mask.size(2),
                    bound_output_, classes_, classes_ - 1)
        .hint(fmt::format("ignore_index is {}", ignored_));
  }

  std::string output_, mask_ = "mask", bound_output_;
  int64_t classes_ = 0, ignored_ = data::kUnknownClass;
};

}  // namespace

extern const Entry<Task> segmentation{"segmentation",
                                      "a class for each pixel: cross-entropy, mean intersection over union (miou)",
                                      make_component<Task, Segmentation>};

}  // namespace compress::train
