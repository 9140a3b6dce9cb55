#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/shape.h"

namespace compress::ops {

namespace {

/// Towards zero; what lies outside becomes the nearest integer of the type, and no number 0. ONNX leaves both open, and
/// processors differ.
at::Tensor to_integer(const at::Tensor& x, at::ScalarType type) {
  const auto [low, high] = integer_limits(type);
  const auto real_high = static_cast<double>(high);  // of 64 bits: rounded up, no integer of the type any more
  const auto wide = x.to(at::kDouble).nan_to_num(0).clamp(static_cast<double>(low), real_high);
  const auto at_end = wide.eq(real_high);
  return wide.masked_fill(at_end, 0).to(at::kLong).masked_fill(at_end, high).to(type);
}

at::Tensor converted(const at::Tensor& x, at::ScalarType type) {
  const bool whole = at::isIntegralType(type, /*includeBool=*/false);
  return whole && x.is_floating_point() ? to_integer(x, type) : x.to(type);
}

at::ScalarType target_type(const Node& node) {
  return element_type(node.attributes.integer("to", 1));
}

Kernel cast_kernel(const Node& node) {
  return [type = target_type(node)](Call& call) { call.out() = converted(call.in(0), type); };
}

std::vector<ValueInfo> cast_infer(const InferCall& call) {
  return {{.shape = call.shape(0), .type = target_type(call.node)}};
}

Kernel cast_like_kernel(const Node&) {
  return [](Call& call) { call.out() = converted(call.in(0), call.in(1).scalar_type()); };
}

std::vector<ValueInfo> cast_like_infer(const InferCall& call) {
  return {{.shape = call.shape(0), .type = call.in(1).type}};
}

/// Types are known: a Cast.
void state_type(Graph& graph, Node& node) {
  const auto type = input_infos(node, infer(graph, 2, &node))[1].type;
  node.op = "Cast";
  node.attributes = {};
  node.attributes.set("to", onnx_element_type(type));
  node.inputs.resize(1);
  graph.touch();
}

Op cast_op() {
  return {.name = "Cast",
          .doc = "changes the element type; to integers towards zero, limited to what the type holds",
          .since_opset = 6,
          .attributes = {{"to", AttributeSpec::Type::integer, true}},
          .kernel = cast_kernel,
          .gradient = Gradient::yes,
          .infer = cast_infer,
          .macs = no_macs,
          .channels = same_channels,
          .resize = keep_attributes,
          .quantization = Quantization::none};
}

Op cast_like_op() {
  auto op = cast_op();
  op.name = "CastLike";
  op.doc = "Cast to the element type of the second input";
  op.min_inputs = op.max_inputs = 2;
  op.since_opset = 15;
  op.attributes = {};
  op.kernel = cast_like_kernel;
  op.infer = cast_like_infer;
  op.normalize = state_type;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily cast{{cast_op(), cast_like_op()}};
}

}  // namespace compress::ops
