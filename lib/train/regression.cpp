#include "core/text.h"
#include "train/outputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/mse_loss.h>

namespace compress::train {

namespace {

class RegressionMeter final : public Meter {
public:
  RegressionMeter(std::string output, std::string target) : output_(std::move(output)), target_(std::move(target)) {}

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    const at::Tensor difference = (outputs.at(output_).detach() - batch.at(target_)).to(at::kDouble);
    accumulate(squares_, difference.square().sum());
    accumulate(sizes_, difference.abs().sum());
    numbers_ += difference.numel();
  }

  Metrics result() const override {
    const auto mean = [&](const at::Tensor& sum) {
      return sum.defined() ? sum.item<double>() / static_cast<double>(numbers_) : 0;
    };
    return {{"mse", mean(squares_)}, {"mae", mean(sizes_)}, {"loss", mean(squares_)}};
  }

private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) { sum = sum.defined() ? sum.add_(more) : more; }

  std::string output_, target_;
  int64_t numbers_ = 0;
  at::Tensor squares_, sizes_;
};

class Regression final : public Task {
public:
  void declare(Settings& s) override {
    s.optional("output", output_, "graph output with the predictions; absent: the first");
    s.optional("target", target_, "field with the numbers to find");
  }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    const auto output = output_info(graph, output_);
    const auto& field = field_info(fields, target_, "regression");
    if (output.shape != field.shape)
      throw request_error(
          "task 'regression': output '{}' of '{}' is {} for each sample, but field '{}' of the data is {}", output.name,
          graph.name, shape_text(output.shape), target_, shape_text(field.shape));
    bound_output_ = output.name;
  }

  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    return at::mse_loss(outputs.at(bound_output_), batch.at(target_));
  }
  std::unique_ptr<Meter> meter() const override { return std::make_unique<RegressionMeter>(bound_output_, target_); }
  std::string main_metric() const override { return "mse"; }
  bool higher_is_better() const override { return false; }
  void check_batch(const data::Batch&) const override {}

private:
  std::string output_, target_ = "y", bound_output_;
};

}  // namespace

extern const Entry<Task> regression{"regression", "numbers: mean squared error (mse), mean absolute error (mae)",
                                    make_component<Task, Regression>};

}  // namespace compress::train
