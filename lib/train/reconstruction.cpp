#include "core/text.h"
#include "train/outputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/l1_loss.h>
#include <ATen/ops/mse_loss.h>

#include <algorithm>
#include <cmath>

namespace compress::train {

namespace {

constexpr double kMostDecibels = 100;  // of an image that is met exactly

enum class Distance { mse, l1 };

class ReconstructionMeter final : public Meter {
public:
  ReconstructionMeter(std::string output, std::string target, double range, Distance distance)
      : output_(std::move(output)), target_(std::move(target)), range_(range), distance_(distance) {}

  void add(const Outputs& outputs, const data::Batch& batch) override {
    const at::NoGradGuard no_grad;
    const at::Tensor difference = (outputs.at(output_).detach() - batch.at(target_)).to(at::kDouble).flatten(1);
    const at::Tensor squares = difference.square().mean(1);
    accumulate(squares_, squares.sum());
    accumulate(sizes_, difference.abs().mean(1).sum());
    accumulate(decibels_, squares.reciprocal().mul_(range_ * range_).log10_().mul_(10).clamp_max_(kMostDecibels).sum());
    samples_ += batch.size;
  }

  Metrics result() const override {
    const auto mean = [&](const at::Tensor& sum) {
      return sum.defined() ? sum.item<double>() / static_cast<double>(samples_) : 0;
    };
    return {{"psnr", mean(decibels_)},
            {"mse", mean(squares_)},
            {"mae", mean(sizes_)},
            {"loss", mean(distance_ == Distance::mse ? squares_ : sizes_)}};
  }

private:
  static void accumulate(at::Tensor& sum, const at::Tensor& more) { sum = sum.defined() ? sum.add_(more) : more; }

  std::string output_, target_;
  double range_;
  Distance distance_;
  int64_t samples_ = 0;
  at::Tensor squares_, sizes_, decibels_;
};

class Reconstruction final : public Task {
public:
  void declare(Settings& s) override {
    s.optional("output", output_, "graph output with the copy; absent: the first");
    s.optional("target", target_, "field to be copied; absent: the only one that is no label");
    s.choice("loss", distance_, {{"mse", Distance::mse}, {"l1", Distance::l1}},
             "mean squared or mean absolute difference");
    s.optional("range", range_, "largest minus smallest possible number of the target, for psnr", above(0));
  }

  void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) override {
    const auto output = output_info(graph, output_);
    const auto& field = field_info(fields, target_.empty() ? only_input(fields) : target_, "reconstruction");
    if (field.type != at::kFloat)
      throw request_error("task 'reconstruction' needs floating-point numbers, but field '{}' of the data has integers",
                          field.name);
    if (output.shape != field.shape)
      throw request_error(
          "task 'reconstruction': output '{}' of '{}' is {} for each sample, but field '{}' of the data is {}",
          output.name, graph.name, shape_text(output.shape), field.name, shape_text(field.shape));
    bound_output_ = output.name;
    bound_target_ = field.name;
  }

  at::Tensor loss(const Outputs& outputs, const data::Batch& batch) const override {
    const auto &copy = outputs.at(bound_output_), &target = batch.at(bound_target_);
    return distance_ == Distance::mse ? at::mse_loss(copy, target) : at::l1_loss(copy, target);
  }
  std::unique_ptr<Meter> meter() const override {
    return std::make_unique<ReconstructionMeter>(bound_output_, bound_target_, range_, distance_);
  }
  std::string main_metric() const override { return "psnr"; }
  bool higher_is_better() const override { return true; }
  void check_batch(const data::Batch&) const override {}

private:
  static std::string only_input(const std::vector<data::FieldInfo>& fields) {
    std::vector<std::string> names;
    for (const auto& field : fields)
      if (!data::is_target(field.name)) names.push_back(field.name);
    if (names.size() == 1) return names[0];
    throw request_error("task 'reconstruction' needs to know which field is copied; the data have: {}",
                        join(names, ", "))
        .hint("set training.task: {class: reconstruction, target: FIELD}");
  }

  std::string output_, target_, bound_output_, bound_target_;
  Distance distance_ = Distance::mse;
  double range_ = 1;
};

}  // namespace

extern const Entry<Task> reconstruction{"reconstruction",
                                        "the input again (autoencoders): mse or l1; peak signal-to-noise ratio (psnr)",
                                        make_component<Task, Reconstruction>};

}  // namespace compress::train
