#pragma once

#include "quant/post_training/kept_prefixes.h"
#include "quant/quantizer.h"

namespace compress::quant {

/// Takes the mean error of each weighted layer's output, per channel, off its bias: e_c = mean over samples and
/// positions of (quantised - floating point), b_c -= e_c. Layers come in topological order, and each sees what the
/// corrected ones before it make, so that the mean that reaches the end is right (empirical form of Nagel et al. 2019,
/// "Data-free quantization through weight equalization and bias correction", section 4.2).
///
/// `graph` is the quantised network (before finish()), `reference` the same one in floating point, folded alike. Layers
/// without a bias get one; those whose operator has none (MatMul) or shares it with another stay as they are. Throws a
/// run error when there is no sample.
///
/// Costs about three forward passes. What runs before a layer is kept in at most `most_bytes`; samples beyond that run
/// from the start, and are read again, for every layer.
Changes correct_biases(Graph& graph,
                       const Graph& reference,
                       const CalibrationBatches& calibration,
                       int64_t samples,
                       int64_t most_bytes = KeptPrefixes::kMostBytes);

}  // namespace compress::quant
