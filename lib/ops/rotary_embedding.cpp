#include "core/text.h"
#include "ops/channels.h"
#include "ops/heads.h"
#include "ops/shape.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>

/// Turns pairs of channels of each head by an angle that depends on the place: RoPE.
namespace compress::ops {

namespace {

enum RotaryInput : size_t { kRotated, kCosines, kSines, kPlaces };

int64_t rotary_heads(const Node& node, const Shape& shape) {
  if (shape.size() == 4) return shape[1];
  if (shape.size() != 3)
    throw request_error("the value has shape {}, but three or four axes are needed", shape_text(shape));
  const auto heads = node.attributes.integer("num_heads", 0);
  if (heads <= 0 || shape[2] % heads != 0)
    throw request_error("attribute 'num_heads' is {}, which does not divide {} channels", heads, shape[2]);
  return heads;
}

/// How many channels of a head are turned.
int64_t turned_channels(const Node& node, const Shape& shape) {
  const auto size = shape.size() == 4 ? shape[3] : shape[2] / rotary_heads(node, shape);
  const auto stated = node.attributes.integer("rotary_embedding_dim", 0);
  const auto turned = stated == 0 ? size : stated;
  if (turned % 2 != 0 || turned < 0 || turned > size)
    throw request_error("{} of {} channels of a head cannot be turned in pairs", turned, size);
  return turned;
}

/// Angles per sample and place: [batch or 1, length, 1, pairs].
at::Tensor angles_of(const Call& call, size_t table) {
  const auto& values = call.in(table);
  if (!call.has(kPlaces)) return values.unsqueeze(2);
  const auto& places = call.in(kPlaces);
  auto sizes = places.sizes().vec();
  sizes.push_back(values.size(-1));
  return values.index_select(0, places.to(at::kLong).flatten()).reshape(sizes).unsqueeze(2);
}

void run_rotary(const Node& node, Call& call) {
  const auto& input = call.in(kRotated);
  const auto shape = shape_of(input);
  const auto heads = rotary_heads(node, shape), turned = turned_channels(node, shape);
  const auto x = shape.size() == 4 ? input.transpose(1, 2) : input.reshape({shape[0], shape[1], heads, -1});
  const auto cosines = angles_of(call, kCosines), sines = angles_of(call, kSines);
  const bool interleaved = node.attributes.integer("interleaved", 0) != 0;
  const auto part = x.narrow(3, 0, turned);
  const auto first = interleaved ? part.slice(3, 0, turned, 2) : part.narrow(3, 0, turned / 2);
  const auto second = interleaved ? part.slice(3, 1, turned, 2) : part.narrow(3, turned / 2, turned / 2);
  const auto real = cosines * first - sines * second, imaginary = sines * first + cosines * second;
  auto y = interleaved ? at::stack({real, imaginary}, 4).flatten(3) : at::cat({real, imaginary}, 3);
  y = at::cat({y, x.narrow(3, turned, x.size(3) - turned)}, 3);
  call.out() = shape.size() == 4 ? y.transpose(1, 2) : y.reshape(shape);
}

Kernel rotary_kernel(const Node& node) {
  return [node](Call& call) { run_rotary(node, call); };
}

std::vector<ValueInfo> rotary_infer(const InferCall& call) {
  const auto turned = turned_channels(call.node, call.shape(kRotated));
  for (const auto table : {kCosines, kSines})
    if (call.shape(table).empty() || call.shape(table).back() != turned / 2)
      throw request_error("the angles have shape {}, but {} pairs of channels are turned",
                          shape_text(call.shape(table)), turned / 2);
  return {call.in(kRotated)};
}

/// Turning mixes the channels of a head; heads [batch, heads, length, size] stay apart.
void rotary_channels(ChannelFlow& flow) {
  const bool apart = follows_whole_heads(flow.node()) && flow.shape(kRotated).size() == 4;
  const auto heads = apart ? flow.axis(kRotated, 1) : Atoms();
  for (size_t i = 0; i < flow.inputs(); ++i)
    for (int64_t axis = 0; flow.has(i) && axis < std::ssize(flow.shape(i)); ++axis) {
      if (apart && i == kRotated && axis == 1) continue;
      if (flow.is_parameter(i)) flow.bind(i, axis, {});
      flow.block(flow.axis(i, axis), "the channels of a head are mixed");
    }
  ChannelMap map(flow.output_shape().size());
  if (apart) map[1] = heads;
  flow.set_output(std::move(map));
}

}  // namespace

namespace families {
extern const OpFamily rotary_embedding{{{.name = "RotaryEmbedding",
                                         .doc = "turns pairs of channels of each head by angles of their place",
                                         .min_inputs = 3,
                                         .max_inputs = 4,
                                         .since_opset = 23,
                                         .attributes = {{"interleaved", AttributeSpec::Type::integer},
                                                        {"num_heads", AttributeSpec::Type::integer},
                                                        {"rotary_embedding_dim", AttributeSpec::Type::integer}},
                                         .kernel = rotary_kernel,
                                         .gradient = Gradient::yes,
                                         .infer = rotary_infer,
                                         .macs = no_macs,
                                         .channels = rotary_channels,
                                         .resize = keep_attributes,
                                         .quantization = Quantization::none}}};
}

}  // namespace compress::ops
