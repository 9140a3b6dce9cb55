#pragma once

#include <string>
#include <vector>

namespace compress::test {

struct Preset {
  std::string name;
  std::string yaml;
};

/// Every quantiser that trains, with all values on grids of few bits.
inline std::vector<Preset> training_presets() {
  return {
      {"DorefaQuantizer", "{bits_activations: 4, bits_weights: 3, relu_only: false, quantize_inputs: true}"},
      {"DorefaQuantizer", "{bits_activations: 4, bits_weights: 1}"},
      {"PACTQuantizer",
       "{bits_activations: 4, bits_weights: 4, relu_only: false, quantize_inputs: true, act_clip_init_val: 2, "
       "act_clip_decay: 0.001}"},
      {"WRPNQuantizer", "{bits_activations: 4, bits_weights: 4, relu_only: false, quantize_inputs: true}"},
      {"QuantAwareTrainRangeLinearQuantizer", "{bits_activations: 4, bits_weights: 4, mode: SYMMETRIC_RESTRICTED}"},
      {"QuantAwareTrainRangeLinearQuantizer", "{bits_activations: 4, bits_weights: 4, fold_batchnorm: false}"},
      {"NCFQuantAwareTrainQuantizer", "{bits_activations: 4, bits_weights: 4, fold_batchnorm: false}"},
      {"LsqQuantizer", "{bits_activations: 4, bits_weights: 4}"},
      {"LsqQuantizer", "{bits_activations: 4, bits_weights: 3, per_channel_weights: true}"},
      {"LsqPlusQuantizer", "{bits_activations: 4, bits_weights: 4, per_channel_weights: true}"},
      {"TrainedRangeQuantizer", "{bits_activations: 4, bits_weights: 4}"},
      {"TrainedRangeQuantizer",
       "{bits_activations: 4, bits_weights: 4, activations: symmetric, weights: asymmetric_signed, observer: sqnr}"},
      {"NemoQuantizer", "{bits_activations: 4, bits_weights: 4}"},
      {"NemoQuantizer", "{bits_activations: 4, bits_weights: 4, per_channel_weights: true}"},
  };
}

}  // namespace compress::test
