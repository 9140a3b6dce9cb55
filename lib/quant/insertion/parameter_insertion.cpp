#include "quant/insertion/parameter_insertion.h"

#include "ops/op.h"
#include "quant/insertion/quantizer_node.h"
#include "quant/rules/grid_rule.h"
#include "quant/runtime/runtime.h"

#include <ATen/ops/zeros.h>

#include <map>

namespace compress::quant {
namespace {

using ops::Quantization;

class ParameterInserter {
public:
  ParameterInserter(Graph& graph, const InsertionOptions& options) : graph_(graph), options_(options) {}

  Changes run() {
    std::vector<Node*> nodes;
    for (auto& node : graph_.nodes()) nodes.push_back(&node);
    for (auto* node : nodes) quantize(*node);
    return std::move(changes_);
  }

private:
  void quantize(Node& node) {
    const auto role = role_under(node, options_);
    if (role == Quantization::weighted) quantize_layer(node);
    if (role == Quantization::arithmetic || role == Quantization::activation) quantize_operands(node);
  }

  void quantize_layer(Node& node) {
    const auto& op = ops::op_of(node);
    const auto rule = options_.rules.find(node);
    // A ConvBatchNormalization quantises its folded weight itself.
    if (rule.weights.quantised() && node.op != "ConvBatchNormalization")
      if (const auto* weight = parameter(node, op.weight_input)) {
        const auto axes = weight_axes(rule.weights, node, weight->value);
        quantize_parameter(node, op.weight_input, rule.weights, axes, arithmetic_of(rule));
      }
    const auto* bias = parameter(node, op.bias_input);
    if (bias == nullptr) return;
    require_finite(*bias);
    if (rule.bias.quantised()) quantize_parameter(node, op.bias_input, rule.bias);
  }

  /// How the layer computes, as its weight's quantiser says it.
  static Attributes arithmetic_of(const LayerRule& rule) {
    Attributes attributes;
    if (rule.bits_accum && *rule.bits_accum < 32) attributes.set("accumulator_bits", *rule.bits_accum);
    if (rule.scale_approx_mult_bits && *rule.scale_approx_mult_bits < 32)
      attributes.set("multiplier_bits", *rule.scale_approx_mult_bits);
    if (rule.float_bias) attributes.set("float_bias", int64_t{1});
    return attributes;
  }

  /// Numbers that are added to what is on a grid, multiplied with it, ... All of them are known, so their own extremes
  /// are their range, and both ends are on the grid.
  void quantize_operands(Node& node) {
    if (options_.runtime != nullptr && !options_.runtime->constant_operands()) return;
    if (!reads_quantised(node)) return;
    const auto layer = options_.rules.find(node);
    auto rule = layer.activations;
    if (!rule.quantised()) return;
    rule.grid.narrow = rule.grid.narrow || rule.grid.symmetric;
    rule.observer = nullptr;
    rule.method = layer.weights.method == "fixed" ? "fixed" : "minmax";
    rule.method_arguments = {};
    for (int i = 0; i < std::ssize(node.inputs); ++i)
      if (const auto* operand = parameter(node, i); operand != nullptr && operand->value.is_floating_point())
        quantize_parameter(node, i, rule);
  }

  bool reads_quantised(const Node& node) const {
    for (const auto& input : node.inputs)
      if (const auto* maker = graph_.producer(input); maker != nullptr && maker->op == "FakeQuantize") return true;
    return false;
  }

  const Parameter* parameter(const Node& node, int input) const {
    if (input < 0 || !node.has_input(input)) return nullptr;
    const auto& name = node.inputs[static_cast<size_t>(input)];
    const auto* quantizer = graph_.producer(name);
    const bool shared = quantizer != nullptr && quantizer->op == "FakeQuantize";
    return graph_.find_parameter(shared ? quantizer->inputs[0] : name);
  }

  /// `more`: attributes of the quantiser that say how its reader computes.
  void quantize_parameter(
      Node& node, int input, const TensorRule& rule, ops::GridAxes axes = {}, const Attributes& more = {}) {
    const auto* parameter = this->parameter(node, input);
    const auto name = parameter->name + ".quantizer";
    auto made = quantizer_node(name, parameter->name, rule, {});
    for (const auto& [key, value] : more) made.attributes.set(key, value);
    if (axes.axis >= 0) made.attributes.set("axis", axes.axis);
    if (axes.group_size > 0) {
      made.attributes.set("input_axis", axes.input_axis);
      made.attributes.set("group_size", axes.group_size);
    }
    Wish wish{node.name, rule, made.attributes, weight_range(*parameter, rule, axes)};
    if (const auto first = wishes_.find(name); first != wishes_.end()) {
      require_agreement(parameter->name, first->second, wish);
    } else {
      for (auto& added : add_quantizer_parameters(graph_, name, rule, wish.range, 1, changes_))
        made.inputs.push_back(std::move(added));
      graph_.insert_before(node, std::move(made));
      wishes_.emplace(name, std::move(wish));
    }
    node.inputs[static_cast<size_t>(input)] = name;
    ++changes_.nodes_changed;
    graph_.touch();
  }

  /// What a layer wants of the quantiser of a parameter that it reads.
  struct Wish {
    std::string layer;
    TensorRule rule;
    Attributes attributes;
    ops::ValueRange range;
  };

  /// One quantiser serves all that read a parameter.
  static void require_agreement(const std::string& parameter, const Wish& first, const Wish& other) {
    const auto same_numbers = [&] {
      const auto one = ops::make_grid(first.range.min, first.range.max, first.rule.spec());
      const auto another = ops::make_grid(other.range.min, other.range.max, other.rule.spec());
      return one.scale.equal(another.scale) && one.zero_point.equal(another.zero_point);
    };
    if (first.attributes == other.attributes && same_numbers()) return;
    const auto axis = [](const Wish& wish) { return wish.attributes.integer("axis", -1); };
    const bool crossed = axis(first) >= 0 && axis(other) >= 0 && axis(first) != axis(other);
    throw request_error("'{}' and '{}' share the parameter '{}' and want different grids for it: {}, and {}",
                        first.layer, other.layer, parameter, in_words(first, other), in_words(other, first))
        .hint(crossed ? "their output channels lie along different axes: give both one scale for the whole weight"
                      : "give both the same bits and arguments in 'overrides'");
  }

  /// The grid, and what the other wish has otherwise.
  static std::string in_words(const Wish& wish, const Wish& other) {
    auto words = describe(wish.rule);
    for (const auto* key : {"axis", "group_size", "accumulator_bits", "multiplier_bits", "float_bias"}) {
      const auto value = wish.attributes.integer(key, 0);
      if (wish.attributes.has(key) == other.attributes.has(key) && value == other.attributes.integer(key, 0)) continue;
      words += wish.attributes.has(key) ? fmt::format(", {} {}", key, value) : fmt::format(", without {}", key);
    }
    if (wish.rule.method != other.rule.method) words += fmt::format(", method '{}'", wish.rule.method);
    if (wish.attributes == other.attributes)
      words += fmt::format(", from {:.6g} to {:.6g}", wish.range.min.min().item<double>(),
                           wish.range.max.max().item<double>());
    return words;
  }

  Graph& graph_;
  const InsertionOptions& options_;
  Changes changes_;
  std::map<std::string, Wish> wishes_;  ///< quantiser -> who wanted it first
};

/// Rewires what one layer reads.
class TypeSetter {
public:
  TypeSetter(Graph& graph, Changes& changes) : graph_(graph), infos_(ops::infer(graph)), changes_(changes) {}

  /// What a layer reads and puts out as 32-bit floating-point numbers.
  struct Layer {
    Node* node;
    std::vector<size_t> inputs;
    std::vector<std::string> outputs;
  };

  /// To be asked of all layers before the first is changed.
  Layer look_at(Node& node) const {
    Layer layer{&node, {}, {}};
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (is_float(node.inputs[i])) layer.inputs.push_back(i);
    for (int k = 0; k < node.outputs; ++k)
      if (is_float(node.output(k))) layer.outputs.push_back(node.output(k));
    return layer;
  }

  void round_to_float16(const Layer& layer) {
    const TensorRule half{.bits = 16, .grid = {.bits = 16, .format = ops::GridFormat::float16}};
    const auto zero = graph_.parameters().empty() ? at::zeros({}) : graph_.parameters().front().value.new_zeros({});
    replace_inputs(layer, [&](const std::string& value, const std::string& name) {
      const auto parameters = add_quantizer_parameters(graph_, name + ".quantizer", half, {zero, zero}, 1, changes_);
      return quantizer_node(name + ".quantizer", value, half, parameters);
    });
  }

  void compute_in_double(const Layer& layer) {
    replace_inputs(layer, [&](const std::string& value, const std::string& name) {
      return cast(name + ".double", value, kDouble);
    });
    for (const auto& output : layer.outputs) {
      const auto& back = graph_.insert_after(*layer.node, cast(graph_.unique_name(output + ".float"), output, kFloat));
      graph_.replace_uses(output, back.name, back.name);
      ++changes_.nodes_changed;
    }
  }

private:
  static constexpr int64_t kFloat = 1, kDouble = 11;  // ONNX's numbers of element types

  static Node cast(std::string name, const std::string& value, int64_t type) {
    Node node{.name = std::move(name), .op = "Cast", .inputs = {value}};
    node.attributes.set("to", type);
    return node;
  }

  bool is_float(const std::string& value) const {
    const auto* info = value.empty() ? nullptr : infos_.find(value);
    return info != nullptr && info->type == at::kFloat;
  }

  template <class Make>
  void replace_inputs(const Layer& layer, const Make& make) {
    auto& node = *layer.node;
    for (const auto i : layer.inputs) {
      const auto name = graph_.unique_name(fmt::format("{}.input{}", node.name, i));
      node.inputs[i] = graph_.insert_before(node, make(node.inputs[i], name)).name;
      ++changes_.nodes_changed;
    }
    graph_.touch();
  }

  Graph& graph_;
  ops::Infos infos_;
  Changes& changes_;
};

}  // namespace

Changes quantize_parameters(Graph& graph, const InsertionOptions& options) {
  return ParameterInserter(graph, options).run();
}

Changes set_floating_types(Graph& graph, const InsertionOptions& options) {
  std::vector<std::pair<Node*, int64_t>> nodes;
  for (auto& node : graph.nodes())
    if (node.op != "FakeQuantize")
      if (const auto bits = options.rules.find(node).fpq_module; bits && *bits != 32) nodes.emplace_back(&node, *bits);
  Changes changes;
  if (nodes.empty()) return changes;
  TypeSetter setter(graph, changes);
  std::vector<TypeSetter::Layer> layers;
  for (const auto& [node, bits] : nodes) layers.push_back(setter.look_at(*node));
  for (size_t i = 0; i < layers.size(); ++i) {
    if (nodes[i].second == 16)
      setter.round_to_float16(layers[i]);
    else
      setter.compute_in_double(layers[i]);
  }
  return changes;
}

}  // namespace compress::quant
