#include "support/random_graph.h"

#include "analysis/coupled_channels.h"
#include "core/random.h"
#include "ops/op.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>

namespace compress::test {

namespace {

at::Tensor fill(const Shape& shape, Random& random, double mean, double spread) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* data = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) data[i] = static_cast<float>(mean + spread * random.normal());
  return tensor;
}

/// A value with its sizes, without the batch.
struct Value {
  std::string name;
  int64_t channels = 0, size = 0;
};

class Writer {
public:
  explicit Writer(uint64_t seed) : random_(seed, "random_graph"), graph_("random" + std::to_string(seed)) {
    graph_.inputs.push_back({"input", {kBatch, 3, 12, 12}});
  }

  Graph write() {
    Value x = convolution({"input", 3, 12}, channels(), 3, 1, 1);
    for (int64_t blocks = 2 + random_.below(4); blocks > 0; --blocks) x = block(x);
    tail(x);
    return std::move(graph_);
  }

private:
  int64_t channels() { return 4 + 2 * random_.below(5); }
  std::string fresh(const std::string& base) { return base + std::to_string(++count_); }

  std::string node(const std::string& op, std::vector<std::string> inputs, Attributes attributes = {}) {
    std::string lower = op;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return graph_
        .add({.name = fresh(lower), .op = op, .inputs = std::move(inputs), .attributes = std::move(attributes)})
        .name;
  }

  static Attributes with(std::initializer_list<std::pair<const char*, Attribute>> entries) {
    Attributes attributes;
    for (const auto& [name, value] : entries) attributes.set(name, value);
    return attributes;
  }

  std::string
  parameter(const std::string& name, const Shape& shape, double mean, double spread, bool trainable = true) {
    return graph_.add_parameter({.name = name, .value = fill(shape, random_, mean, spread), .trainable = trainable})
        .name;
  }

  std::string variance(const std::string& name, int64_t size) {
    const std::string made = parameter(name, {size}, 1, 0.2, false);
    graph_.writable(made).abs_().add_(0.1);
    return made;
  }

  Value plain_convolution(const Value& x, int64_t outputs, int64_t kernel, int64_t stride, int64_t groups, bool bias) {
    const std::string name = fresh("conv");
    const int64_t pad = kernel / 2, inputs = x.channels / groups;
    std::vector<std::string> in{x.name, parameter(name + ".weight", {outputs, inputs, kernel, kernel}, 0,
                                                  std::sqrt(2.0 / static_cast<double>(inputs * kernel * kernel)))};
    if (bias) in.push_back(parameter(name + ".bias", {outputs}, 0, 0.3));
    using Integers = std::vector<int64_t>;
    graph_.add({.name = name,
                .op = "Conv",
                .inputs = in,
                .attributes = with({{"kernel_shape", Integers{kernel, kernel}},
                                    {"strides", Integers{stride, stride}},
                                    {"pads", Integers{pad, pad, pad, pad}},
                                    {"group", groups}})});
    return {name, outputs, (x.size + 2 * pad - kernel) / stride + 1};
  }

  Value batch_norm(const Value& x) {
    const std::string name = fresh("bn");
    graph_.add({.name = name,
                .op = "BatchNormalization",
                .inputs = {x.name, parameter(name + ".weight", {x.channels}, 1, 0.3),
                           parameter(name + ".bias", {x.channels}, 0, 0.3),
                           parameter(name + ".running_mean", {x.channels}, 0, 0.3, false),
                           variance(name + ".running_var", x.channels)}});
    return {name, x.channels, x.size};
  }

  Value activation(const Value& x) {
    switch (random_.below(6)) {
    case 5: return {node("PRelu", {x.name, slope(x)}), x.channels, x.size};
    case 0: return {node("Clip", {x.name}, with({{"min", 0.0}, {"max", 6.0}})), x.channels, x.size};
    case 1: return {node("LeakyRelu", {x.name}, with({{"alpha", 0.1}})), x.channels, x.size};
    case 2: return {node("Sigmoid", {x.name}), x.channels, x.size};
    default: return {node("Relu", {x.name}), x.channels, x.size};
    }
  }

  /// One factor per channel; linear layers' values have no spatial axes.
  std::string slope(const Value& x) {
    return parameter(fresh("slope") + ".weight", x.size == 1 ? Shape{x.channels} : Shape{x.channels, 1, 1}, 0.2, 0.05);
  }

  Value convolution(const Value& x, int64_t outputs, int64_t kernel, int64_t stride, int64_t groups) {
    const bool normalised = random_.chance(0.6);
    Value y = plain_convolution(x, outputs, kernel, stride, groups, !normalised && random_.chance(0.7));
    if (normalised) y = batch_norm(y);
    return random_.chance(0.85) ? activation(y) : y;
  }

  Value block(const Value& x) {
    const int64_t stride = x.size >= 6 && random_.chance(0.3) ? 2 : 1;
    switch (random_.below(14)) {
    case 8: return gated(x);
    case 9: return upscaled(x);
    case 10: return convolution(convolution(x, 2 * x.channels, 3, 1, x.channels), channels(), 1, 1, 1);
    case 11: return exchanged_parts(x);
    case 12: return every_second(convolution(x, channels(), 1, 1, 1));
    case 13: return depth_to_space(x);
    case 0: return residual(x, stride);
    case 1: return residual(x, 1);
    case 2: return concat(x);
    case 3: return convolution(convolution(x, x.channels, 3, stride, x.channels), channels(), 1, 1, 1);
    case 4: return shuffle(convolution(x, channels(), 1, 1, 2));
    case 5: return pool(x);
    case 6: return convolution(x, channels(), 3, stride, x.channels % 2 == 0 ? 2 : 1);
    default: return convolution(x, channels(), random_.chance(0.5) ? 3 : 1, stride, 1);
    }
  }

  Value residual(const Value& x, int64_t stride) {
    const int64_t outputs = stride == 1 && random_.chance(0.5) ? x.channels : x.channels + 2 * random_.below(3);
    Value y = convolution(x, channels(), 3, stride, 1);
    y = batch_norm(plain_convolution(y, outputs, 3, 1, 1, false));
    return activation({node("Add", {y.name, shortcut(x, y, stride).name}), y.channels, y.size});
  }

  Value shortcut(const Value& x, const Value& y, int64_t stride) {
    if (stride == 1 && x.channels == y.channels) return x;
    if (random_.chance(0.5)) return plain_convolution(x, y.channels, 1, stride, 1, false);
    using Integers = std::vector<int64_t>;
    std::string name = x.name;
    if (stride > 1)
      name = node("Slice", {name},
                  with({{"starts", Integers{0, 0}},
                        {"ends", Integers{1000, 1000}},
                        {"axes", Integers{2, 3}},
                        {"steps", Integers{2, 2}}}));
    const int64_t extra = y.channels - x.channels;
    return {node("Pad", {name}, with({{"pads", Integers{0, extra / 2, 0, 0, 0, extra - extra / 2, 0, 0}}})), y.channels,
            y.size};
  }

  Value concat(const Value& x) {
    const Value a = convolution(x, channels(), 3, 1, 1),
                b = random_.chance(0.5) ? x : convolution(x, channels(), 1, 1, 1);
    return {node("Concat", {a.name, b.name}, with({{"axis", int64_t{1}}})), a.channels + b.channels, x.size};
  }

  Value shuffle(const Value& x) {
    using Integers = std::vector<int64_t>;
    const std::string split =
        node("Reshape", {x.name}, with({{"shape", Integers{0, 2, x.channels / 2, x.size, x.size}}}));
    const std::string turned = node("Transpose", {split}, with({{"perm", Integers{0, 2, 1, 3, 4}}}));
    return {node("Reshape", {turned}, with({{"shape", Integers{0, x.channels, x.size, x.size}}})), x.channels, x.size};
  }

  /// Squeeze and excitation: a factor per channel from the mean of all.
  Value gated(const Value& x) {
    const Value mean{node("GlobalAveragePool", {x.name}), x.channels, 1};
    const Value inner{node("Relu", {plain_convolution(mean, 4, 1, 1, 1, true).name}), 4, 1};
    const std::string gate = node("Sigmoid", {plain_convolution(inner, x.channels, 1, 1, 1, true).name});
    return {node("Mul", {x.name, gate}), x.channels, x.size};
  }

  Value upscaled(const Value& x) {
    if (x.size > 12) return convolution(x, channels(), 3, 2, 1);
    using Integers = std::vector<int64_t>;
    const std::string name = fresh("up");
    const int64_t outputs = channels(), groups = random_.chance(0.3) ? 2 : 1;
    graph_.add(
        {.name = name,
         .op = "ConvTranspose",
         .inputs = {x.name, parameter(name + ".weight", {x.channels, outputs / groups, 2, 2}, 0, 0.3),
                    parameter(name + ".bias", {outputs}, 0, 0.3)},
         .attributes = with({{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}, {"group", groups}})});
    return convolution({name, outputs, 2 * x.size}, channels(), 3, 2, 1);
  }

  /// Two values are joined, cut again and joined in the other order: by a split where they met, or by slices that
  /// overlap there.
  Value exchanged_parts(const Value& x) {
    using Integers = std::vector<int64_t>;
    const Value first = convolution(x, channels(), 3, 1, 1), second = convolution(x, channels(), 1, 1, 1);
    const auto along_channels = with({{"axis", int64_t{1}}});
    Value joined{node("Concat", {first.name, second.name}, along_channels), first.channels + second.channels, x.size};
    std::string a, b;
    if (random_.chance(0.5)) {
      a = fresh("split");
      graph_.add({.name = a,
                  .op = "Split",
                  .inputs = {joined.name},
                  .attributes = with({{"axis", int64_t{1}}, {"split", Integers{first.channels, second.channels}}}),
                  .outputs = 2});
      b = a + ":1";
    } else {
      a = channel_slice(joined, 0, first.channels + 1, 1);
      b = channel_slice(joined, first.channels - 1, joined.channels, 1);
      joined.channels += 2;
    }
    b = node("Relu", {b});
    return convolution({node("Concat", {b, a}, along_channels), joined.channels, x.size}, channels(), 1, 1, 1);
  }

  /// Even and odd channels, the latter in reverse order, one behind the other.
  Value every_second(const Value& x) {
    const std::string even = channel_slice(x, 0, x.channels, 2), odd = channel_slice(x, -1, -x.channels - 1, -2);
    return {node("Concat", {even, odd}, with({{"axis", int64_t{1}}})), x.channels, x.size};
  }

  std::string channel_slice(const Value& x, int64_t start, int64_t end, int64_t step) {
    using Integers = std::vector<int64_t>;
    return node(
        "Slice", {x.name},
        with({{"starts", Integers{start}}, {"ends", Integers{end}}, {"axes", Integers{1}}, {"steps", Integers{step}}}));
  }

  /// Twice as wide with a quarter of the channels.
  Value depth_to_space(const Value& x) {
    if (x.size > 12) return pool(x);
    const Value y = convolution(x, 12, 1, 1, 1);
    const std::string mode = random_.chance(0.5) ? "DCR" : "CRD";
    const Value wide{node("DepthToSpace", {y.name}, with({{"blocksize", int64_t{2}}, {"mode", mode}})), 3, 2 * x.size};
    return convolution(wide, channels(), 3, 2, 1);
  }

  Value pool(const Value& x) {
    if (x.size < 4) return x;
    using Integers = std::vector<int64_t>;
    const auto window = with({{"kernel_shape", Integers{2, 2}}, {"strides", Integers{2, 2}}});
    return {node(random_.chance(0.5) ? "MaxPool" : "AveragePool", {x.name}, window), x.channels, x.size / 2};
  }

  void tail(const Value& x) {
    std::string value = x.name;
    int64_t features = x.channels * x.size * x.size;
    if (random_.chance(0.5)) {
      value = node("GlobalAveragePool", {value});
      features = x.channels;
    }
    value = linear(node("Flatten", {value}), features, 8);
    value = activation({value, 8, 1}).name;
    graph_.outputs.push_back({"output", linear(value, 8, 5)});
  }

  std::string linear(const std::string& x, int64_t inputs, int64_t outputs) {
    const std::string name = fresh("fc");
    const double spread = std::sqrt(2.0 / static_cast<double>(inputs));
    if (random_.chance(0.2)) {
      const std::string product = node("MatMul", {x, parameter(name + ".weight", {inputs, outputs}, 0, spread)});
      return node("Add", {product, parameter(name + ".bias", {outputs}, 0, 0.3)});
    }
    std::vector<std::string> in{x, parameter(name + ".weight", {outputs, inputs}, 0, spread)};
    if (random_.chance(0.8)) in.push_back(parameter(name + ".bias", {outputs}, 0, 0.3));
    return graph_.add({.name = name, .op = "Gemm", .inputs = in, .attributes = with({{"transB", int64_t{1}}})}).name;
  }

  Random random_;
  Graph graph_;
  int count_ = 0;
};

void mask_slice(Graph& graph, const std::string& name, int axis, const std::vector<int64_t>& indices) {
  Parameter& parameter = graph.parameter(name);
  if (!parameter.mask.defined()) parameter.mask = at::ones(parameter.value.sizes(), parameter.value.scalar_type());
  for (const int64_t index : indices) {
    parameter.mask.select(axis, index).zero_();
    graph.writable(name).select(axis, index).zero_();
  }
}

/// The axis of a parameter along which it makes channels rather than reads them; -1 when it is no weight, bias, gamma
/// or beta.
int producing_axis(const Graph& graph, const Parameter& parameter) {
  if (!parameter.trainable) return -1;
  for (const Node* node : graph.consumers(parameter.name)) {
    const auto& op = ops::op_of(*node);
    if (op.weight_input >= 0 && node->inputs[static_cast<size_t>(op.weight_input)] == parameter.name)
      return op.weight_axis(*node);
  }
  return 0;
}

}  // namespace

Graph random_graph(uint64_t seed) {
  return Writer(seed).write();
}

at::Tensor random_input(const Graph& graph, int64_t batch, uint64_t seed) {
  Shape shape = graph.inputs.front().shape;
  std::ranges::replace(shape, kBatch, batch);
  Random random(seed, "random_input");
  return fill(shape, random, 0, 1);
}

void random_masks(Graph& graph, MaskKind kind, uint64_t seed) {
  Random random(seed, "random_masks");
  const analysis::CoupledChannels channels(graph);
  for (const auto& group : channels.groups()) {
    const double share = random.uniform(0, 0.6);
    for (size_t c = 1; c < group.channels.size(); ++c) {  // the first stays
      if (!random.chance(share)) continue;
      for (size_t m = 0; m < group.members.size(); ++m) {
        const auto& [name, axis] = group.members[m];
        const Parameter& parameter = graph.parameter(name);
        if (axis != producing_axis(graph, parameter)) continue;
        if (kind == MaskKind::filters && (parameter.value.dim() < 2 || random.chance(0.5))) continue;
        mask_slice(graph, name, axis, group.channels[c].indices[m]);
      }
    }
  }
}

}  // namespace compress::test
