#include "ops/quantization_role.h"

#include "ops/conv_batch_normalization.h"

namespace compress::ops {

Quantization quantization_role(const Node& node) {
  const auto& op = op_of(node);
  if (op.name == "Resize" && node.attributes.text("mode", "nearest") == "nearest") return Quantization::same_grid;
  return op.quantization;
}

size_t first_grid_input(const Node& node) {
  if (node.op == "FakeQuantize") return 1;
  if (node.op == "ConvBatchNormalization") return FoldedConvolution::kScale;
  return node.inputs.size();
}

}  // namespace compress::ops
