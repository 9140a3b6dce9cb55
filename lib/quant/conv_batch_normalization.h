#pragma once

#include "quant/insertion.h"

namespace compress::quant {

/// Makes one ConvBatchNormalization node, under the convolution's name, of each convolution that only a batch-norm
/// reads and whose weight is to be quantised. A convolution whose weight is shared stays as it is.
Changes join_conv_batch_normalization(Graph& graph, const InsertionOptions& options);

/// The way back: each ConvBatchNormalization becomes a Conv with folded weight and bias and a quantiser on the weight,
/// bit for bit what the node evaluated to. Remaining batch-norms behind layers in floating point are folded too.
Changes fold_conv_batch_normalization(Graph& graph);

}  // namespace compress::quant
