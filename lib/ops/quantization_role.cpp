#include "ops/quantization_role.h"

namespace compress::ops {

Quantization quantization_role(const Node& node) {
  const auto& op = op_of(node);
  if (op.name == "Resize" && node.attributes.text("mode", "nearest") == "nearest") return Quantization::same_grid;
  return op.quantization;
}

}  // namespace compress::ops
