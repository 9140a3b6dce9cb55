#include "quant/training/freeze_delay.h"

#include "core/log.h"
#include "quant/training/conv_batch_normalization.h"
#include "train/weight_averages.h"

#include <ATen/core/grad_mode.h>

namespace compress::quant {

namespace {
constexpr const char* kFreezeSteps = "freeze_bn_steps";
}

void FreezeDelay::declare(Settings& settings) {
  settings.optional("freeze_bn_delay", delay_,
                    "training steps after which the statistics of folded batch-norms freeze and the folded weights are "
                    "trained; null: never",
                    at_least(0));
}

void FreezeDelay::on_minibatch_begin(train::State& state) {
  if (!delay_ || steps_ != *delay_) return;
  const at::NoGradGuard no_grad;
  Changes forgotten;
  const auto changes = freeze_conv_batch_normalization(state.graph, &forgotten.removed);
  if (forgotten.removed.empty()) return;
  log::info("[quantizer] {} batch-norm(s) folded for good after {} steps", forgotten.removed.size(), steps_);
  state.optimizer.apply(forgotten);
  if (state.averages != nullptr) state.averages->apply(forgotten);
  state.apply(changes);
}

void FreezeDelay::on_minibatch_end(train::State&) {
  ++steps_;
}

void FreezeDelay::save(train::Memory& memory) const {
  memory.values[kFreezeSteps] = steps_;
}

void FreezeDelay::load(const train::Memory& memory) {
  steps_ = memory.values.value(kFreezeSteps, int64_t{0});
}

}  // namespace compress::quant
