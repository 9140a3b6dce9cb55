#include "quant/quantizer.h"
#include "schedule/policies.h"
#include "train/samples.h"

#include <ATen/core/grad_mode.h>

namespace compress::schedule {

namespace {

constexpr int64_t kCalibrationBatch = 100;

/// Puts quantisers on the graph once: at the beginning of its first epoch, or after training.
class QuantizationPolicy final : public Policy {
public:
  explicit QuantizationPolicy(std::unique_ptr<quant::Quantizer> quantizer) : quantizer_(std::move(quantizer)) {}

  bool compresses() const override { return true; }

  void bind(const Graph& graph, const Binding& binding, Problems& problems) override {
    inputs_ = binding.inputs;
    quantizer_->bind(graph, problems);
  }
  void on_epoch_begin(train::State& state) override {
    if (state.epoch == window.first_epoch()) prepare(state);
  }
  void on_training_end(train::State& state) override {
    if (window.at_end()) prepare(state);
  }

private:
  void prepare(train::State& state) {
    at::NoGradGuard no_grad;
    const auto samples = quantizer_->calibration_samples();
    const quant::CalibrationBatches calibration = [&](const auto& consume) {
      train::for_training_samples(
          state.graph, state.data,
          {.samples = samples, .batch_size = kCalibrationBatch, .seed = state.seed, .device = state.device}, inputs_,
          consume);
    };
    state.apply(within(fmt::format("quantising with '{}'", instance),
                       [&] { return quantizer_->prepare(state.graph, calibration); }));
  }

  std::unique_ptr<quant::Quantizer> quantizer_;
  std::map<std::string, std::string> inputs_;
};

}  // namespace

std::unique_ptr<Policy> make_quantization_policy(const PolicyEntry& entry) {
  auto quantizer = read_component(quant::quantizers(), entry.component, entry.instance);
  check_in(entry.component, [&] { quantizer->check(); });
  if (entry.window.at_end() && !quantizer->post_training())
    throw request_error("{} '{}' trains with quantisation: its policy needs a starting epoch", entry.class_name,
                        entry.instance)
        .at(entry.place)
        .hint("starting_epoch: 0, ending_epoch: 10, frequency: 1");
  return std::make_unique<QuantizationPolicy>(std::move(quantizer));
}

}  // namespace compress::schedule
