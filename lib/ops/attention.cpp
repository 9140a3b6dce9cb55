#include "core/text.h"
#include "ops/attributes.h"
#include "ops/channels.h"
#include "ops/heads.h"
#include "ops/shape.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>

/// ONNX's Attention: Y = softmax(scale Q K' + mask) V per head, with grouped heads and a cache of keys and values.
namespace compress::ops {

namespace {

enum AttentionInput : size_t { kQuery, kKey, kValue, kMask, kPastKey, kPastValue, kValidKeys };

/// What the attributes and shapes say; heads and sizes as in [batch, heads, length, size].
struct AttentionSizes {
  int64_t batch, query_heads, heads, queries, keys, past, size, value_size;
  bool flat;  ///< inputs are [batch, length, heads * size]
};

int64_t required_heads(const Node& node, const char* attribute) {
  const auto heads = node.attributes.integer(attribute, 0);
  if (heads <= 0)
    throw request_error("attribute '{}' must be given, and positive, for inputs of three axes", attribute);
  return heads;
}

int64_t size_of_head(int64_t width, int64_t heads) {
  if (width % heads != 0) throw request_error("{} channels cannot be shared out among {} heads", width, heads);
  return width / heads;
}

AttentionSizes sizes_of(const Node& node, const Shape& q, const Shape& k, const Shape& v, const Shape* past) {
  if (q.size() != k.size() || q.size() != v.size() || (q.size() != 3 && q.size() != 4))
    throw request_error("query {}, key {} and value {} must all have three or all four axes", shape_text(q),
                        shape_text(k), shape_text(v));
  AttentionSizes s{.batch = q[0], .flat = q.size() == 3};
  s.query_heads = s.flat ? required_heads(node, "q_num_heads") : q[1];
  s.heads = s.flat ? required_heads(node, "kv_num_heads") : k[1];
  s.queries = s.flat ? q[1] : q[2];
  s.past = past ? past->at(2) : 0;
  s.keys = s.past + (s.flat ? k[1] : k[2]);
  s.size = s.flat ? size_of_head(q[2], s.query_heads) : q[3];
  s.value_size = s.flat ? size_of_head(v[2], s.heads) : v[3];
  const auto key_size = s.flat ? size_of_head(k[2], s.heads) : k[3];
  const bool lengths_agree = s.flat ? k[1] == v[1] : k[2] == v[2] && k[1] == v[1];
  if (key_size != s.size || !lengths_agree || s.heads == 0 || s.query_heads % s.heads != 0 || k[0] != s.batch ||
      v[0] != s.batch)
    throw request_error("query {}, key {} and value {} do not fit together", shape_text(q), shape_text(k),
                        shape_text(v))
        .hint("query and key need heads of one size, key and value one length, and the query's heads must be a "
              "multiple of the key's");
  return s;
}

struct AttentionOptions {
  Node node;
  bool causal = false;
  int64_t left_window = -1, right_window = -1;  ///< how far a query looks back and ahead; -1: without limit
  double softcap = 0;
  int64_t output_mode = 0;
  std::optional<at::ScalarType> precision;

  double scale(int64_t size) const { return node.attributes.number("scale", 1 / std::sqrt(static_cast<double>(size))); }
};

/// [batch, length, heads * size] -> [batch, heads, length, size]
at::Tensor heads_apart(const at::Tensor& x, int64_t heads, bool flat) {
  return flat ? x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2) : x;
}

at::Tensor heads_joined(const at::Tensor& y, bool flat) {
  return flat ? y.transpose(1, 2).reshape({y.size(0), y.size(2), -1}) : y;
}

at::Tensor with_past(const Call& call, size_t past, const at::Tensor& x) {
  return call.has(past) ? at::cat({call.in(past), x}, 2) : x;
}

/// Each head of key or value for all the query's heads that share it.
at::Tensor for_all_heads(const at::Tensor& x, int64_t query_heads) {
  return x.size(1) == query_heads ? x : x.repeat_interleave(query_heads / x.size(1), 1);
}

/// True where a query may look at a key; undefined when it may everywhere.
at::Tensor allowed_by_position(const AttentionOptions& o, const AttentionSizes& s, const Call& call) {
  const auto& q = call.in(kQuery);
  const auto key = at::arange(s.keys, q.options().dtype(at::kLong));
  at::Tensor allowed, query = at::arange(s.queries, key.options()).unsqueeze(1);
  const auto require = [&](const at::Tensor& condition) {
    allowed = allowed.defined() ? allowed.logical_and(condition) : condition;
  };
  if (call.has(kValidKeys)) {
    const auto valid = call.in(kValidKeys).to(at::kLong).reshape({s.batch, 1, 1, 1});
    require(key.lt(valid));
    query = query + (valid - s.queries);
  } else {
    query = query + s.past;
  }
  if (o.causal) require(key.le(query));
  if (o.left_window >= 0) require(key.ge(query - o.left_window));
  if (o.right_window >= 0) require(key.le(query + o.right_window));
  return allowed;
}

/// What is added to the scores; undefined when nothing is.
at::Tensor bias_of(const AttentionOptions& o, const AttentionSizes& s, const Call& call) {
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  const auto as_bias = [&](const at::Tensor& allowed) {
    return at::zeros_like(allowed, call.in(kQuery).options()).masked_fill(allowed.logical_not(), kNever);
  };
  at::Tensor bias;
  if (const auto allowed = allowed_by_position(o, s, call); allowed.defined()) bias = as_bias(allowed);
  if (!call.has(kMask)) return bias;
  auto mask = call.in(kMask).scalar_type() == at::kBool ? as_bias(call.in(kMask)) : call.in(kMask);
  if (const auto missing = s.keys - mask.size(-1); missing > 0) {  // keys behind the mask are not looked at
    auto sizes = mask.sizes().vec();
    sizes.back() = missing;
    mask = at::cat({mask, mask.new_full(sizes, kNever)}, -1);
  }
  return bias.defined() ? bias + mask : mask;
}

/// Softmax over the keys; all zero where no key may be looked at.
at::Tensor attention_weights(const at::Tensor& scores) {
  const auto none = scores.eq(-std::numeric_limits<double>::infinity()).all(-1, true);
  return scores.masked_fill(none, 0).softmax(-1).masked_fill(none, 0);
}

at::Tensor spelt_attention(const AttentionOptions& o,
                           const AttentionSizes& s,
                           Call& call,
                           const at::Tensor& q,
                           const at::Tensor& k,
                           const at::Tensor& v) {
  const double root = std::sqrt(o.scale(s.size));
  const auto product = (q * root).matmul((k * root).transpose(2, 3));
  const auto capped = o.softcap > 0 ? (product / o.softcap).tanh() * o.softcap : product;
  const auto bias = bias_of(o, s, call);
  const auto scores = bias.defined() ? capped + bias : capped;
  const auto weights = attention_weights(o.precision ? scores.to(*o.precision) : scores).to(q.scalar_type());
  if (call.outputs.size() > 3) {
    const at::Tensor stages[] = {product, capped, scores, weights};
    call.out(3) = stages[o.output_mode];
  }
  return weights.matmul(v);
}

void run_attention(const AttentionOptions& o, Call& call) {
  const Shape past = call.has(kPastKey) ? shape_of(call.in(kPastKey)) : Shape();
  const auto s = sizes_of(o.node, shape_of(call.in(kQuery)), shape_of(call.in(kKey)), shape_of(call.in(kValue)),
                          past.empty() ? nullptr : &past);
  const auto q = heads_apart(call.in(kQuery), s.query_heads, s.flat);
  const auto key = with_past(call, kPastKey, heads_apart(call.in(kKey), s.heads, s.flat));
  const auto value = with_past(call, kPastValue, heads_apart(call.in(kValue), s.heads, s.flat));
  const auto k = for_all_heads(key, s.query_heads), v = for_all_heads(value, s.query_heads);
  const bool plain = !call.has(kMask) && !call.has(kValidKeys) && o.softcap == 0 && !o.precision &&
                     call.outputs.size() < 4 && !(o.causal && s.past > 0) && o.left_window < 0 && o.right_window < 0;
  const auto y = plain ? at::scaled_dot_product_attention(q, k, v, {}, 0, o.causal, o.scale(s.size))
                       : spelt_attention(o, s, call, q, k, v);
  call.out() = heads_joined(y, s.flat);
  if (call.outputs.size() > 1) call.out(1) = key;
  if (call.outputs.size() > 2) call.out(2) = value;
}

Kernel attention_kernel(const Node& node) {
  AttentionOptions options{.node = node,
                           .causal = node.attributes.integer("is_causal", 0) != 0,
                           .left_window = node.attributes.integer("left_window_size", -1),
                           .right_window = node.attributes.integer("right_window_size", -1),
                           .softcap = node.attributes.number("softcap", 0),
                           .output_mode = node.attributes.integer("qk_matmul_output_mode", 0)};
  if (options.output_mode < 0 || options.output_mode > 3)
    throw request_error("attribute 'qk_matmul_output_mode' is {}, allowed are 0 to 3", options.output_mode);
  if (node.attributes.has("softmax_precision"))
    options.precision = element_type(node.attributes.integer("softmax_precision", 1));
  return [options](Call& call) { run_attention(options, call); };
}

std::vector<ValueInfo> attention_infer(const InferCall& call) {
  if (call.has(kPastKey) != call.has(kPastValue))
    throw request_error("past keys and past values must be given together");
  if (call.has(kPastKey) && (call.shape(kPastKey).size() != 4 || call.shape(kPastValue).size() != 4))
    throw request_error("past keys and values need the shape [batch, heads, length, size]");
  const auto s = sizes_of(call.node, call.shape(kQuery), call.shape(kKey), call.shape(kValue),
                          call.has(kPastKey) ? &call.shape(kPastKey) : nullptr);
  if (call.has(kMask) && call.shape(kMask).empty()) throw request_error("the mask has no axes");
  const auto type = call.in(kQuery).type;
  std::vector<ValueInfo> outputs{{.shape = s.flat ? Shape{s.batch, s.queries, s.query_heads * s.value_size}
                                                  : Shape{s.batch, s.query_heads, s.queries, s.value_size},
                                  .type = type},
                                 {.shape = {s.batch, s.heads, s.keys, s.size}, .type = type},
                                 {.shape = {s.batch, s.heads, s.keys, s.value_size}, .type = type},
                                 {.shape = {s.batch, s.query_heads, s.queries, s.keys}, .type = type}};
  outputs.resize(static_cast<size_t>(call.node.outputs));
  return outputs;
}

int64_t attention_macs(const Node& node, std::span<const ValueInfo> in, std::span<const ValueInfo>) {
  const bool has_past = in.size() > kPastKey && in[kPastKey].type != at::ScalarType::Undefined;
  const auto s =
      sizes_of(node, in[kQuery].shape, in[kKey].shape, in[kValue].shape, has_past ? &in[kPastKey].shape : nullptr);
  return s.batch * s.query_heads * s.queries * s.keys * (s.size + s.value_size);
}

/// One atom per index within a head: heads are alike, so that index k of all of them goes at once.
Atoms head_channels(ChannelFlow& flow, size_t i, int64_t size) {
  const auto axis = static_cast<int64_t>(flow.shape(i).size()) - 1;
  if (flow.is_parameter(i)) flow.bind(i, axis, {});
  const auto all = flow.axis(i, axis);
  if (all.empty()) return {};
  for (size_t k = static_cast<size_t>(size); k < all.size(); ++k)
    flow.unite({all[k % static_cast<size_t>(size)]}, {all[k]});
  return {all.begin(), all.begin() + size};
}

/// Heads as channels: those of query, key, value and result are the same. False when heads are shared or have a past,
/// where they cannot go one by one.
bool whole_head_channels(ChannelFlow& flow, const AttentionSizes& s) {
  if (s.query_heads != s.heads || flow.has(kPastKey) || flow.node().outputs > 1) return false;
  const int64_t axis = s.flat ? 2 : 1;
  Atoms heads;
  for (const auto i : {kQuery, kKey, kValue}) {
    if (flow.is_parameter(i) || flow.axis(i, axis).empty()) return false;
    const auto all = flow.axis(i, axis);
    const auto inner = all.size() / static_cast<size_t>(s.heads);
    if (heads.empty())
      for (size_t head = 0; head < static_cast<size_t>(s.heads); ++head) heads.push_back(all[head * inner]);
    for (size_t k = 0; k < all.size(); ++k) flow.unite({heads[k / inner]}, {all[k]});
  }
  for (size_t i = 0; i < flow.inputs(); ++i)
    for (int64_t other = 0; flow.has(i) && other < std::ssize(flow.shape(i)); ++other) {
      if (i <= kValue && other == axis) continue;
      if (flow.is_parameter(i)) flow.bind(i, other, {});
      flow.block(flow.axis(i, other), "only whole heads are followed");
    }
  ChannelMap y(flow.output_shape().size());
  for (const Atom head : heads)
    y[static_cast<size_t>(axis)].insert(y[static_cast<size_t>(axis)].end(),
                                        static_cast<size_t>(s.flat ? s.value_size : 1), head);
  flow.set_output(std::move(y));
  return true;
}

/// Query and key share the size that is summed over; the value's size is the output's. Heads and places stay.
void attention_channels(ChannelFlow& flow) {
  if (follows_whole_heads(flow.node()) &&
      whole_head_channels(flow,
                          sizes_of(flow.node(), flow.shape(kQuery), flow.shape(kKey), flow.shape(kValue), nullptr)))
    return;
  for (size_t i = 0; i < flow.inputs(); ++i)
    for (int64_t axis = 0; flow.has(i) && axis < std::ssize(flow.shape(i)); ++axis) {
      const bool last = axis + 1 == std::ssize(flow.shape(i)) && i != kMask && i != kValidKeys;
      if (!last && flow.is_parameter(i)) flow.bind(i, axis, {});
      if (!last) flow.block(flow.axis(i, axis), "only the channels within a head are followed");
    }
  const auto s = sizes_of(flow.node(), flow.shape(kQuery), flow.shape(kKey), flow.shape(kValue), nullptr);
  const auto q = head_channels(flow, kQuery, s.size), k = head_channels(flow, kKey, s.size);
  const auto v = head_channels(flow, kValue, s.value_size);
  flow.unite(q, k);
  if (flow.has(kPastKey)) flow.unite(k, head_channels(flow, kPastKey, s.size));
  if (flow.has(kPastValue)) flow.unite(v, head_channels(flow, kPastValue, s.value_size));
  ChannelMap y(flow.output_shape().size());
  for (int64_t head = 0; !v.empty() && head < (s.flat ? s.query_heads : 1); ++head)
    y.back().insert(y.back().end(), v.begin(), v.end());
  flow.set_output(std::move(y));
  if (flow.node().outputs > 1) flow.set_output({{}, {}, {}, k}, 1);
  if (flow.node().outputs > 2) flow.set_output({{}, {}, {}, v}, 2);
}

/// How many heads stay when whole heads go; -1 when channels within all heads do.
int64_t whole_heads_kept(const std::vector<bool>& kept, int64_t heads) {
  const auto size = std::ssize(kept) / heads;
  int64_t whole = 0;
  for (int64_t head = 0; head < heads; ++head) {
    const auto begin = kept.begin() + head * size;
    const auto stay = std::count(begin, begin + size, true);
    if (stay != 0 && stay != size) return -1;
    whole += stay == size;
  }
  return whole;
}

/// The default scale follows the size of a head; after thinning it must be what it was.
void attention_resize(Node& node, const Resize& resize) {
  const auto axis = node.attributes.has("q_num_heads") ? 2 : 3;
  const auto kept = resize.kept_input(kQuery, axis);
  const auto heads = axis == 2 ? node.attributes.integer("q_num_heads", 1) : 1;
  if (kept.empty() || resize.count_input(kQuery, axis) == std::ssize(kept)) return;
  if (const auto left = axis == 2 ? whole_heads_kept(kept, heads) : -1; left > 0) {
    node.attributes.set("q_num_heads", left);
    node.attributes.set("kv_num_heads", left);
    return;
  }
  if (node.attributes.has("scale")) return;
  node.attributes.set("scale", 1 / std::sqrt(static_cast<double>(std::ssize(kept)) / static_cast<double>(heads)));
}

}  // namespace

namespace families {
extern const OpFamily attention{{{.name = "Attention",
                                  .doc = "softmax(scale Q K' + mask) V per head, with grouped heads and past keys",
                                  .min_inputs = 3,
                                  .max_inputs = 7,
                                  .max_outputs = 4,
                                  .since_opset = 23,
                                  .attributes = {{"is_causal", AttributeSpec::Type::integer},
                                                 {"kv_num_heads", AttributeSpec::Type::integer},
                                                 {"left_window_size", AttributeSpec::Type::integer},
                                                 {"q_num_heads", AttributeSpec::Type::integer},
                                                 {"qk_matmul_output_mode", AttributeSpec::Type::integer},
                                                 {"right_window_size", AttributeSpec::Type::integer},
                                                 {"scale", AttributeSpec::Type::number},
                                                 {"softcap", AttributeSpec::Type::number},
                                                 {"softmax_precision", AttributeSpec::Type::integer}},
                                  .kernel = attention_kernel,
                                  .gradient = Gradient::yes,
                                  .infer = attention_infer,
                                  .macs = attention_macs,
                                  .channels = attention_channels,
                                  .resize = attention_resize,
                                  .quantization = Quantization::none}}};
}

}  // namespace compress::ops
