#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/floating_grid.h"
#include "ops/integer_arithmetic.h"
#include "ops/quantization_grid.h"
#include "ops/shape.h"

/// ONNX's quantisers at the border of integer graphs: real = scale * (q - zero_point), one scale, one per index of an
/// axis, or one per block of indices. q may be a floating-point number of 8 bits; the zero point is 0 then.
///
/// LibTorch computes with nothing smaller than a byte: integers of 4 bits are bytes in a graph, and the attribute
/// `bits` = 4 says so. Files have int4 and uint4 instead (io/onnx_tensor.h).
namespace compress::ops {

namespace {

int64_t stated_axis(const Node& node, size_t rank) {
  return axis_of(node.attributes.integer("axis", 1), static_cast<int64_t>(rank));
}

/// How many indices of the axis share a scale; 0: the scale is one number, or one per index.
int64_t scale_block(const Node& node) {
  return node.attributes.integer("block_size", 0);
}

/// Scale or zero point as something that broadcasts to a value of this shape.
at::Tensor spread(const Node& node, const at::Tensor& values, const at::Tensor& x) {
  if (values.numel() == 1) return values.reshape({});
  const auto axis = stated_axis(node, static_cast<size_t>(x.dim()));
  if (const auto block = scale_block(node); block > 0)
    return values.repeat_interleave(block, axis).narrow(axis, 0, x.size(axis));
  return along_axis(values, axis, x.dim());
}

at::ScalarType quantized_type(const Node& node, at::ScalarType zero_point) {
  if (zero_point != at::ScalarType::Undefined) return zero_point;
  const auto stated = node.attributes.integer("output_dtype", 0);
  return stated == 0 ? at::kByte : element_type(stated);
}

/// The type of the division: `precision`, else the scale's.
at::ScalarType division_type(const Node& node, at::ScalarType scale) {
  const auto stated = node.attributes.integer("precision", 0);
  return stated == 0 ? scale : element_type(stated);
}

bool is_float8(at::ScalarType type) {
  return type == at::kFloat8_e4m3fn || type == at::kFloat8_e5m2;
}

bool has_four_bits(const Node& node) {
  return node.attributes.integer("bits", 8) == 4;
}

std::pair<double, double> integer_limits_of(const Node& node, at::ScalarType type) {
  const auto [low, high] = grid_limits(type);
  return has_four_bits(node) ? std::pair(low / 16, (high + 1) / 16 - 1) : std::pair(low, high);
}

at::Tensor quantized_float8(const Node& node, const at::Tensor& x, const at::Tensor& scale, at::ScalarType type) {
  const auto q = x.div(scale);
  if (node.attributes.integer("saturate", 1) == 0) return q.to(type);
  const auto format = type == at::kFloat8_e5m2 ? GridFormat::float8_e5m2 : GridFormat::float8_e4m3;
  return float_rounded(q, float_format(format)).to(type);
}

Kernel quantize_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto type = quantized_type(node, call.has(2) ? call.in(2).scalar_type() : at::ScalarType::Undefined);
    const auto wide = division_type(node, call.in(1).scalar_type());
    const auto scale = spread(node, call.in(1), x).to(wide);
    if (is_float8(type)) {
      call.out() = quantized_float8(node, x.to(wide), scale, type);
      return;
    }
    const auto [low, high] = integer_limits_of(node, type);
    auto q = x.to(wide).div(scale).round_();
    // Halves cannot hold all integers of 16 bits.
    if (wide != at::kDouble) q = q.to(at::kFloat);
    if (call.has(2)) q.add_(spread(node, call.in(2).to(at::kInt), x).to(q.scalar_type()));
    call.out() = q.clamp_(low, high).to(type);
  };
}

at::ScalarType real_type(const Node& node, at::ScalarType scale) {
  const auto stated = node.attributes.integer("output_dtype", 0);
  return stated == 0 ? scale : element_type(stated);
}

Kernel dequantize_kernel(const Node& node) {
  return [node](Call& call) {
    const auto& x = call.in(0);
    const auto& scale = call.in(1);
    const auto wide = scale.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const bool exact = x.element_size() < 4;  // float32 holds it and its distance from the zero point
    auto q = x.to(exact ? wide : at::kInt, /*non_blocking=*/false, /*copy=*/true);
    if (call.has(2) && !is_float8(x.scalar_type())) q.sub_(spread(node, call.in(2), x).to(q.scalar_type()));
    call.out() = q.to(wide).mul_(spread(node, scale, x).to(wide)).to(real_type(node, scale.scalar_type()));
  };
}

void check_blocks(const InferCall& call, const Shape& scale, int64_t block) {
  auto expected = call.shape(0);
  const auto axis = static_cast<size_t>(stated_axis(call.node, expected.size()));
  expected[axis] = (expected[axis] + block - 1) / block;
  if (block < 0 || scale != expected)
    throw request_error("the scale has shape {}, but blocks of {} on axis {} of the value need {}", shape_text(scale),
                        block, axis, shape_text(expected));
}

void check_scale(const InferCall& call) {
  const auto& scale = call.shape(1);
  if (call.has(2) && call.shape(2) != scale)
    throw request_error("scale of shape {} and zero point of shape {} differ", shape_text(scale),
                        shape_text(call.shape(2)));
  if (elements(scale) == 1) return;
  if (const auto block = scale_block(call.node)) return check_blocks(call, scale, block);
  const auto axis = stated_axis(call.node, call.shape(0).size());
  if (scale != Shape{call.shape(0)[static_cast<size_t>(axis)]})
    throw request_error("the scale has shape {}, but axis {} of the value has size {}", shape_text(scale), axis,
                        call.shape(0)[static_cast<size_t>(axis)])
        .hint("allowed are one scale for the whole value or one for each index of an axis");
}

void check_bits(const InferCall& call, at::ScalarType type) {
  const auto bits = call.node.attributes.integer("bits", 8);
  if (bits == 8 || (bits == 4 && (type == at::kChar || type == at::kByte))) return;
  throw request_error("attribute 'bits' is {} with the type {}", bits, c10::toString(type))
      .hint("allowed is 4, with int8 and uint8");
}

std::vector<ValueInfo> quantize_infer(const InferCall& call) {
  check_scale(call);
  const auto type = quantized_type(call.node, call.has(2) ? call.in(2).type : at::ScalarType::Undefined);
  if (!is_float8(type)) grid_limits(type);
  check_bits(call, type);
  return {{.shape = call.shape(0), .type = type}};
}

std::vector<ValueInfo> dequantize_infer(const InferCall& call) {
  check_scale(call);
  check_bits(call, call.in(0).type);
  return {{.shape = call.shape(0), .type = real_type(call.node, call.in(1).type)}};
}

void quantize_channels(ChannelFlow& flow) {
  if (scale_block(flow.node()) > 0) return flow.block_inputs("scales are shared by blocks of channels");
  same_channels(flow);
  if (elements(flow.shape(1)) == 1) return;
  const auto axis = stated_axis(flow.node(), flow.shape(0).size());
  for (size_t i = 1; i < flow.inputs(); ++i) flow.bind(i, 0, flow.axis(0, axis));
}

/// It changes nothing for integers, which always saturate, and is 1 if absent.
void drop_saturate(Graph& graph, Node& node) {
  const auto* zero_point = node.has_input(2) ? graph.find_parameter(node.inputs[2]) : nullptr;
  const bool float8 = zero_point != nullptr && is_float8(zero_point->value.scalar_type());
  if (!float8 || node.attributes.integer("saturate", 1) == 1) node.attributes.erase("saturate");
}

Op linear_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), Infer infer) {
  return {.name = name,
          .doc = doc,
          .min_inputs = 2,
          .max_inputs = 3,
          .since_opset = 10,
          .attributes = {{"axis", AttributeSpec::Type::integer},
                         {"bits", AttributeSpec::Type::integer},
                         {"block_size", AttributeSpec::Type::integer},
                         {"output_dtype", AttributeSpec::Type::integer}},
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
  op.attributes.push_back({"precision", AttributeSpec::Type::integer});
  op.attributes.push_back({"saturate", AttributeSpec::Type::integer});
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
