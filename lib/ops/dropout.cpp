#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/dropout.h>

namespace compress::ops {

namespace {

/// Draws from LibTorch's default generator, which the trainer seeds.
Kernel dropout_kernel(const Node& node) {
  return [ratio = node.attributes.number("ratio", 0.5)](Call& call) {
    call.out() = call.mode == Mode::train ? at::dropout(call.in(0), ratio, true) : call.in(0);
  };
}

void drop_mask_output(Graph&, Node& node) {
  node.attributes.erase("seed");
  if (node.inputs.size() > 1) node.inputs.resize(1);  // training_mode: the executor's mode decides
}

}  // namespace

namespace families {
extern const OpFamily dropout{
    {{.name = "Dropout",
      .doc = "in training, sets a share of the values to zero and enlarges the rest",
      .since_opset = 7,
      .attributes = {{"ratio", AttributeSpec::Type::number}},
      .constant_inputs = {{.index = 1, .attribute = "ratio", .since_opset = 12, .scalar = true, .floating = true}},
      .kernel = dropout_kernel,
      .gradient = Gradient::yes,
      .infer = infer_same,
      .macs = no_macs,
      .channels = same_channels,
      .resize = keep_attributes,
      .quantization = Quantization::same_grid,
      .normalize = drop_mask_output}}};
}

}  // namespace compress::ops
