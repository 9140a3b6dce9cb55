#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/ops/batch_norm.h>

namespace compress::ops {

namespace {

/// ONNX's momentum is the share of the old statistics, PyTorch's that of the new.
Kernel batch_normalization_kernel(const Node& node) {
  return [epsilon = node.attributes.number("epsilon", 1e-5), momentum = 1 - node.attributes.number("momentum", 0.9),
          frozen = node.attributes.integer("frozen", 0) != 0](Call& call) {
    call.out() = at::batch_norm(call.in(0), call.in(1), call.in(2), call.in(3), call.in(4),
                                call.mode == Mode::train && !frozen, momentum, epsilon, /*cudnn_enabled=*/true);
  };
}

std::vector<ValueInfo> batch_normalization_infer(const InferCall& call) {
  require_rank(call, 0, 2);
  for (size_t i = 1; i < 5; ++i)
    if (call.shape(i) != Shape{call.shape(0)[1]})
      throw request_error("input {} has shape {}, but the value has {} channels", i, shape_text(call.shape(i)),
                          call.shape(0)[1]);
  return {call.in(0)};
}

void batch_normalization_channels(ChannelFlow& flow) {
  for (size_t i = 1; i < 5; ++i) flow.bind(i, 0, flow.axis(0, 1));
  flow.set_output(flow.map(0));
}

/// The node follows the executor's mode, not the file's.
void drop_training_mode(Graph&, Node& node) {
  node.attributes.erase("training_mode");
  node.attributes.erase("spatial");
  node.outputs = 1;
}

}  // namespace

namespace families {
extern const OpFamily batch_normalization{
    {{.name = "BatchNormalization",
      .doc =
          "normalises each channel; training uses the batch's statistics and updates the running ones, unless frozen",
      .min_inputs = 5,
      .max_inputs = 5,
      .since_opset = 7,
      .attributes = {{"epsilon", AttributeSpec::Type::number},
                     {"frozen", AttributeSpec::Type::integer},
                     {"momentum", AttributeSpec::Type::number}},
      .kernel = batch_normalization_kernel,
      .gradient = Gradient::yes,
      .infer = batch_normalization_infer,
      .macs = no_macs,
      .channels = batch_normalization_channels,
      .resize = keep_attributes,
      .quantization = Quantization::none,
      .normalize = drop_training_mode}}};
}

}  // namespace compress::ops
