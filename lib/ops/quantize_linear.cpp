#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/quantization_grid.h"
#include "ops/shape.h"

#include <limits>

/// ONNX's quantisers at the border of integer graphs: real = scale * (q - zero_point), one scale or one per index of an
/// axis.
namespace compress::ops {

namespace {

/// The axis when the scale has one, else -1.
int64_t scale_axis(const Node& node, size_t scale_rank, size_t rank) {
  return scale_rank == 0 ? -1 : axis_of(node.attributes.integer("axis", 1), static_cast<int64_t>(rank));
}

int64_t scale_axis(const Node& node, const at::Tensor& scale, const at::Tensor& x) {
  return scale.numel() == 1 ? -1 : scale_axis(node, static_cast<size_t>(scale.dim()), static_cast<size_t>(x.dim()));
}

at::ScalarType quantized_type(const Node& node, at::ScalarType zero_point) {
  if (zero_point != at::ScalarType::Undefined) return zero_point;
  const auto stated = node.attributes.integer("output_dtype", 0);
  return stated == 0 ? at::kByte : element_type(stated);
}

template <class T>
std::pair<double, double> limits_of() {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

std::pair<double, double> integer_limits(at::ScalarType type) {
  switch (type) {
  case at::kByte: return limits_of<uint8_t>();
  case at::kChar: return limits_of<int8_t>();
  case at::kUInt16: return limits_of<uint16_t>();
  case at::kShort: return limits_of<int16_t>();
  default:
    throw request_error("values cannot be quantised to {}", c10::toString(type))
        .hint("allowed are uint8, int8, uint16 and int16");
  }
}

Kernel quantize_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto axis = scale_axis(node, call.in(1), x);
    const auto type = quantized_type(node, call.has(2) ? call.in(2).scalar_type() : at::ScalarType::Undefined);
    const auto [low, high] = integer_limits(type);
    auto q = x.div(along_axis(call.in(1), axis, x.dim())).round();
    if (call.has(2)) q = q.add(along_axis(call.in(2), axis, x.dim()).to(q.scalar_type()));
    call.out() = q.clamp(low, high).to(type);
  };
}

Kernel dequantize_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto axis = scale_axis(node, call.in(1), x);
    auto q = x.to(at::kInt);
    if (call.has(2)) q = q.sub(along_axis(call.in(2), axis, x.dim()).to(at::kInt));
    call.out() = q.to(call.in(1).scalar_type()).mul(along_axis(call.in(1), axis, x.dim()));
  };
}

void check_scale(const InferCall& call) {
  const auto& scale = call.shape(1);
  if (call.has(2) && call.shape(2) != scale)
    throw request_error("scale of shape {} and zero point of shape {} differ", shape_text(scale),
                        shape_text(call.shape(2)));
  if (elements(scale) == 1) return;
  const auto axis = scale_axis(call.node, scale.size(), call.shape(0).size());
  if (scale != Shape{call.shape(0)[static_cast<size_t>(axis)]})
    throw request_error("the scale has shape {}, but axis {} of the value has size {}", shape_text(scale), axis,
                        call.shape(0)[static_cast<size_t>(axis)])
        .hint("allowed are one scale for the whole value or one for each index of an axis");
}

std::vector<ValueInfo> quantize_infer(const InferCall& call) {
  check_scale(call);
  const auto type = quantized_type(call.node, call.has(2) ? call.in(2).type : at::ScalarType::Undefined);
  integer_limits(type);
  return {{.shape = call.shape(0), .type = type}};
}

std::vector<ValueInfo> dequantize_infer(const InferCall& call) {
  check_scale(call);
  return {{.shape = call.shape(0), .type = call.in(1).type}};
}

void quantize_channels(ChannelFlow& flow) {
  same_channels(flow);
  if (elements(flow.shape(1)) == 1) return;
  const auto axis = scale_axis(flow.node(), flow.shape(1).size(), flow.shape(0).size());
  for (size_t i = 1; i < flow.inputs(); ++i) flow.bind(i, 0, flow.axis(0, axis));
}

/// Only for 8-bit floating point, which is not supported.
void drop_saturate(Graph&, Node& node) {
  node.attributes.erase("saturate");
}

Op linear_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Infer infer) {
  return {.name = name,
          .doc = doc,
          .min_inputs = 2,
          .max_inputs = 3,
          .since_opset = 10,
          .attributes = {{"axis", AttributeSpec::Type::integer}},
          .kernel = kernel,
          .gradient = Gradient::none,
          .infer = infer,
          .macs = no_macs,
          .channels = quantize_channels,
          .resize = keep_attributes,
          .quantization = Quantization::quantizer};
}

Op quantize_op() {
  auto op = linear_op("QuantizeLinear", "integers on a grid: saturated rint(x / scale) + zero_point", quantize_kernel,
                      quantize_infer);
  op.attributes.push_back({"output_dtype", AttributeSpec::Type::integer});
  op.normalize = drop_saturate;
  return op;
}

}  // namespace

namespace families {
extern const OpFamily quantize_linear{{quantize_op(), linear_op("DequantizeLinear",
                                                                "the real values of integers: (q - zero_point) * scale",
                                                                dequantize_kernel,
                                                                dequantize_infer)}};
}

}  // namespace compress::ops
