#pragma once

#include "core/settings.h"
#include "graph/graph.h"
#include "ops/conv_batch_normalization.h"
#include "quant/rules/layer_rules.h"

#include <optional>

namespace compress::quant {

/// How quantisation-aware training treats a batch-norm behind a convolution or linear layer; none: as a node of its
/// own, in floating point (ops/conv_batch_normalization.h).
using BatchNormFolding = std::optional<ops::FoldingScheme>;

/// The argument `fold_batchnorm`: true (the single scheme), false (none) or exact.
Field folding_field(BatchNormFolding& folding);

/// Makes one ConvBatchNormalization node, under the layer's name, of each Conv and Gemm that only a batch-norm reads
/// and whose weight the rules put on a grid by the method minmax. A layer whose weight is shared stays as it is. With
/// per-channel grids the folded weight's integers are those of the plain weight (ops/conv_batch_normalization.h); grids
/// of one scale, powers of two and other formats are followed as the rules have them.
Changes join_conv_batch_normalization(Graph& graph, const LayerRules& rules, ops::FoldingScheme scheme);

/// The way back, at the end of training: each ConvBatchNormalization becomes a Conv or Gemm with folded weight and bias
/// and a fixed quantiser on the weight, bit for bit what the node evaluated to. Remaining batch-norms behind layers in
/// floating point are folded too.
Changes fold_conv_batch_normalization(Graph& graph);

/// The way back within training (Distiller's freeze()): the same, but the weight's grid goes on following the folded
/// weight, which is what learns from then on; other batch-norms stay. `folded` gets the names of the folded weights.
Changes freeze_conv_batch_normalization(Graph& graph, std::vector<std::string>* folded = nullptr);

}  // namespace compress::quant
