#pragma once

#include "core/settings.h"
#include "train/hook.h"

#include <cstdint>
#include <optional>

namespace compress::quant {

/// Distiller's freeze_bn_delay: after so many training steps the statistics of joined batch-norms
/// freeze, and what is trained from then on is the folded layer (freeze_conv_batch_normalization()). A quantiser holds
/// one and calls it from its own hooks; what the optimiser knew about the folded weights is forgotten, since their unit
/// has changed.
class FreezeDelay {
public:
  void declare(Settings& settings);
  void on_minibatch_begin(train::State& state);
  void on_minibatch_end(train::State& state);
  void save(train::Memory& memory) const;
  void load(const train::Memory& memory);

private:
  std::optional<int64_t> delay_ = 200000;
  int64_t steps_ = 0;
};

}  // namespace compress::quant
