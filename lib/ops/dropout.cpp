#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/dropout.h>
#include <ATen/ops/native_dropout.h>

namespace compress::ops {

namespace {

/// Draws from LibTorch's default generator, which the trainer seeds. The second output says which values stayed.
Kernel dropout_kernel(const Node& node) {
  return [ratio = node.attributes.number("ratio", 0.5)](Call& call) {
    const auto& x = call.in(0);
    if (call.outputs.size() < 2) {
      call.out() = call.mode == Mode::train ? at::dropout(x, ratio, true) : x;
      return;
    }
    const auto [y, mask] = at::native_dropout(x, ratio, call.mode == Mode::train);
    call.out(0) = y;
    call.out(1) = mask;
  };
}

std::vector<ValueInfo> dropout_infer(const InferCall& call) {
  std::vector<ValueInfo> results{call.in(0)};
  if (call.node.outputs > 1) results.push_back({.shape = call.shape(0), .type = at::kBool});
  return results;
}

void dropout_channels(ChannelFlow& flow) {
  same_channels(flow);
  if (flow.node().outputs > 1) flow.set_output(flow.map(0), 1);
}

void drop_training_inputs(Graph&, Node& node) {
  node.attributes.erase("seed");
  if (node.inputs.size() > 1) node.inputs.resize(1);  // training_mode: the executor's mode decides
}

}  // namespace

namespace families {
extern const OpFamily dropout{
    {{.name = "Dropout",
      .doc = "in training, sets a share of the values to zero and enlarges the rest",
      .max_outputs = 2,
      .since_opset = 7,
      .attributes = {{"ratio", AttributeSpec::Type::number}},
      .constant_inputs =
          {{.index = 1, .attribute = "ratio", .since_opset = 12, .scalar = true, .like_first_input = true}},
      .kernel = dropout_kernel,
      .gradient = Gradient::yes,
      .infer = dropout_infer,
      .macs = no_macs,
      .channels = dropout_channels,
      .resize = keep_attributes,
      .quantization = Quantization::same_grid,
      .normalize = drop_training_inputs}}};
}

}  // namespace compress::ops
