#pragma once

#include "quant/post_training/calibration_loss.h"
#include "quant/post_training/quantizer_clips.h"

#include <vector>

namespace compress::quant {

/// Gives every clip the range with the least p-norm of its own rounding error (Nahshan et al. 2019, "Loss Aware
/// Post-training Quantization", layer-wise optimisation), one after the other in the graph's order: values are those of
/// the calibration samples behind all that is quantised before them. Zeros, which every grid has, count for nothing.
void set_lp_clips(Graph& graph, const std::vector<QuantizerClip>& clips, CalibrationLoss& loss, double p);

}  // namespace compress::quant
