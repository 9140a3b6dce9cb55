#include "core/log.h"
#include "quant/quantizer.h"
#include "schedule/policies.h"
#include "train/samples.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace compress::schedule {

namespace {

constexpr int64_t kCalibrationBatch = 100;

/// Lets a quantiser put its nodes on the graph, at the beginning of its first epoch or after training, and tells it
/// what happens from then on.
class QuantizationPolicy final : public Policy {
public:
  explicit QuantizationPolicy(std::unique_ptr<quant::Quantizer> quantizer) : quantizer_(std::move(quantizer)) {}

  bool compresses() const override { return true; }
  std::string unmet() const override { return quantizer_->unmet(); }

  void bind(const Graph& graph, const Binding& binding, Problems& problems) override {
    inputs_ = binding.inputs;
    quantizer_->bind(graph, problems);
    if (binding.keeps_structure && problems.empty()) problems.capture([&] { quantizer_->rehearse(graph); });
  }
  std::vector<std::string> observed(const train::State& state) const override { return quantizer_->observed(state); }
  void on_training_begin(train::State& state) override { quantizer_->on_training_begin(state); }
  void on_epoch_begin(train::State& state) override {
    if (state.epoch == window.first_epoch()) prepare(state);
    quantizer_->on_epoch_begin(state);
  }
  void on_minibatch_begin(train::State& state) override { quantizer_->on_minibatch_begin(state); }
  void before_backward_pass(train::State& state) override { quantizer_->before_backward_pass(state); }
  void before_parameter_optimization(train::State& state) override { quantizer_->before_parameter_optimization(state); }
  void on_minibatch_end(train::State& state) override { quantizer_->on_minibatch_end(state); }
  void on_epoch_end(train::State& state) override { quantizer_->on_epoch_end(state); }
  void on_training_end(train::State& state) override {
    if (window.at_end()) prepare(state);
    quantizer_->on_training_end(state);
  }
  train::Memory save() const override { return quantizer_->save(); }
  void load(const train::Memory& memory) override { quantizer_->load(memory); }

private:
  int64_t samples(const data::Dataset& training) const {
    const double share = quantizer_->calibration_fraction();
    if (share == 0) return quantizer_->calibration_samples();
    return std::max<int64_t>(1, std::llround(share * static_cast<double>(training.size())));
  }

  void prepare(train::State& state) {
    const at::NoGradGuard no_grad;
    const quant::Calibration calibration{.batches =
                                             [&](const auto& consume) {
                                               train::for_training_samples(state.graph, state.data,
                                                                           {.samples = samples(*state.data.calibration),
                                                                            .batch_size = kCalibrationBatch,
                                                                            .seed = state.seed,
                                                                            .device = state.device},
                                                                           inputs_, consume);
                                             },
                                         .samples = state.data.calibration,
                                         .task = &state.task,
                                         .inputs = inputs_,
                                         .seed = state.seed,
                                         .device = state.device,
                                         .directory = state.directory};
    const auto start = std::chrono::steady_clock::now();
    state.apply(within(fmt::format("quantising with '{}'", instance),
                       [&] { return quantizer_->prepare(state.graph, calibration); }));
    log::info("[{}] prepared by {} in {:.2f} s", instance, class_name,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

  std::unique_ptr<quant::Quantizer> quantizer_;
  std::map<std::string, std::string> inputs_;
};

}  // namespace

std::unique_ptr<Policy> make_quantization_policy(const PolicyEntry& entry) {
  auto quantizer = read_component(quant::quantizers(), entry.component, entry.instance);
  check_in(entry.component, [&] {
    quantizer->check();
    if (!entry.window.at_end()) quantizer->check_epochs(entry.window.last_epoch());
  });
  if (entry.window.at_end() && !quantizer->post_training())
    throw request_error("{} '{}' trains with quantisation: its policy needs a starting epoch", entry.class_name,
                        entry.instance)
        .at(entry.place)
        .hint("starting_epoch: 0, ending_epoch: 10, frequency: 1");
  return std::make_unique<QuantizationPolicy>(std::move(quantizer));
}

}  // namespace compress::schedule
