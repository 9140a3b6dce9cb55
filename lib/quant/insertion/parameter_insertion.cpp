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
        auto* quantizer = quantize_parameter(node, op.weight_input, rule.weights, axes);
        set_width(*quantizer, "accumulator_bits", rule.bits_accum);
        set_width(*quantizer, "multiplier_bits", rule.scale_approx_mult_bits);
        if (rule.float_bias) quantizer->attributes.set("float_bias", int64_t{1});
      }
    if (rule.bias.quantised() && parameter(node, op.bias_input)) quantize_parameter(node, op.bias_input, rule.bias, {});
  }

  static void set_width(Node& quantizer, const char* name, const std::optional<int64_t>& bits) {
    if (bits && *bits < 32) quantizer.attributes.set(name, *bits);
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
        quantize_parameter(node, i, rule, {});
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

  Node* quantize_parameter(Node& node, int input, const TensorRule& rule, ops::GridAxes axes) {
    const auto* parameter = this->parameter(node, input);
    const auto name = parameter->name + ".quantizer";
    auto* quantizer = graph_.find_node(name);
    if (quantizer == nullptr) {
      const auto range = weight_range(*parameter, rule, axes);
      auto made =
          quantizer_node(name, parameter->name, rule, add_quantizer_parameters(graph_, name, rule, range, 1, changes_));
      if (axes.axis >= 0) made.attributes.set("axis", axes.axis);
      if (axes.group_size > 0) {
        made.attributes.set("input_axis", axes.input_axis);
        made.attributes.set("group_size", axes.group_size);
      }
      quantizer = &graph_.insert_before(node, std::move(made));
      readers_[name] = {node.name, rule};
    }
    require_agreement(name, node, rule);
    node.inputs[static_cast<size_t>(input)] = name;
    ++changes_.nodes_changed;
    graph_.touch();
    return quantizer;
  }

  void require_agreement(const std::string& quantizer, const Node& node, const TensorRule& rule) const {
    const auto& [other, others] = readers_.find(quantizer)->second;
    if (others.spec() == rule.spec() && others.method == rule.method) return;
    throw request_error("'{}' and '{}' share the parameter '{}' and want different grids for it: {}, and {}", other,
                        node.name, graph_.node(quantizer).inputs[0], describe(others), describe(rule))
        .hint("give both the same bits in 'overrides'");
  }

  Graph& graph_;
  const InsertionOptions& options_;
  Changes changes_;
  std::map<std::string, std::pair<std::string, TensorRule>> readers_;  ///< who made each quantiser, by which rule
};

/// Rewires what one layer reads.
class TypeSetter {
public:
  TypeSetter(Graph& graph, Changes& changes) : graph_(graph), infos_(ops::infer(graph)), changes_(changes) {}

  void round_to_float16(Node& node) {
    const TensorRule half{.bits = 16, .grid = {.bits = 16, .format = ops::GridFormat::float16}};
    const auto zero = graph_.parameters().empty() ? at::zeros({}) : graph_.parameters().front().value.new_zeros({});
    for_floating_inputs(node, [&](const std::string& value, const std::string& name) {
      const auto parameters = add_quantizer_parameters(graph_, name + ".quantizer", half, {zero, zero}, 1, changes_);
      return quantizer_node(name + ".quantizer", value, half, parameters);
    });
  }

  void compute_in_double(Node& node) {
    for_floating_inputs(node, [&](const std::string& value, const std::string& name) {
      return cast(name + ".double", value, kDouble);
    });
    const auto outputs = graph_.outputs;
    const auto& back = graph_.insert_after(node, cast(graph_.unique_name(node.name + ".float"), node.name, kFloat));
    graph_.replace_uses(node.name, back.name, back.name);
    ++changes_.nodes_changed;
  }

private:
  static constexpr int64_t kFloat = 1, kDouble = 11;  // ONNX's numbers of element types

  static Node cast(std::string name, const std::string& value, int64_t type) {
    Node node{.name = std::move(name), .op = "Cast", .inputs = {value}};
    node.attributes.set("to", type);
    return node;
  }

  template <class Make>
  void for_floating_inputs(Node& node, const Make& make) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto* info = node.inputs[i].empty() ? nullptr : infos_.find(node.inputs[i]);
      if (info == nullptr || info->type != at::kFloat) continue;
      const auto name = graph_.unique_name(fmt::format("{}.input{}", node.name, i));
      const auto& made = graph_.insert_before(node, make(node.inputs[i], name));
      node.inputs[i] = made.name;
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
  std::vector<std::pair<Node*, int64_t>> layers;
  for (auto& node : graph.nodes())
    if (node.op != "FakeQuantize")
      if (const auto bits = options.rules.find(node).fpq_module; bits && *bits != 32) layers.emplace_back(&node, *bits);
  Changes changes;
  if (layers.empty()) return changes;
  TypeSetter setter(graph, changes);
  for (const auto& [node, bits] : layers) {
    if (bits == 16)
      setter.round_to_float16(*node);
    else
      setter.compute_in_double(*node);
  }
  return changes;
}

}  // namespace compress::quant
