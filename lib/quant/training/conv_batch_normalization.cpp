#include "quant/training/conv_batch_normalization.h"

#include "graph/match.h"
#include "passes/pass.h"
#include "quant/insertion/insertion.h"

#include <ATen/TensorOperators.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace compress::quant {
namespace {

using Folded = ops::FoldedConvolution;

/// The attributes that say how the weight is quantised, of the joined node and of a FakeQuantize alike.
constexpr std::array kWeightAttributes{
    "accumulator_bits", "axis",         "bits",       "format", "group_size", "input_axis",
    "multiplier_bits",  "narrow_range", "scale_rule", "signed", "symmetric"};

void move_attribute(Attributes& from, Attributes& to, const char* name) {
  if (const auto* value = from.find(name)) to.set(name, *value);
  from.erase(name);
}

/// True for a linear layer as import leaves it.
bool is_plain_linear(const Graph& graph, const Node& layer) {
  const auto& attributes = layer.attributes;
  if (attributes.integer("transB", 0) == 0 || attributes.integer("transA", 0) != 0) return false;
  if (attributes.number("alpha", 1) != 1 || attributes.number("beta", 1) != 1) return false;
  return !layer.has_input(Folded::kBias) || graph.parameter(layer.inputs[Folded::kBias]).value.dim() == 1;
}

/// A bias that another node reads too would be lost to it.
bool shares_parameters(const Graph& graph, const Node& layer) {
  return std::ranges::any_of(layer.inputs.begin() + 1, layer.inputs.end(), [&](const std::string& name) {
    return !name.empty() && graph.consumers(name).size() > 1;
  });
}

void describe_weight_grid(Attributes& attributes, const LayerRule& rule) {
  ops::set_grid(attributes, rule.weights.spec());
  const bool groups = rule.weights.group_size > 0;
  attributes.set("axis", int64_t{rule.weights.per_channel || groups ? 0 : -1});
  if (groups) {
    attributes.set("group_size", rule.weights.group_size);
    attributes.set("input_axis", int64_t{1});
  }
  if (rule.bits_accum) attributes.set("accumulator_bits", *rule.bits_accum);
  if (rule.scale_approx_mult_bits) attributes.set("multiplier_bits", *rule.scale_approx_mult_bits);
}

/// The weight times gamma / sigma, and what that makes of the bias.
struct FoldedValues {
  at::Tensor weight, bias;
};

FoldedValues folded_values(const Graph& graph, const Node& node) {
  const auto tensor = [&](size_t input) { return graph.parameter(node.inputs[input]).value.detach(); };
  const auto weight = tensor(Folded::kWeight), mean = tensor(Folded::kMean);
  const auto factor =
      tensor(Folded::kGamma) / (tensor(Folded::kVariance) + node.attributes.number("epsilon", 1e-5)).sqrt();
  const auto offset = node.has_input(Folded::kBias) ? tensor(Folded::kBias) - mean : mean.neg();
  return {weight * ops::along_axis(factor, 0, weight.dim()), tensor(Folded::kBeta) + offset * factor};
}

/// The node's weight grid at the present statistics; training renews it at every step.
ops::Grid first_grid(const Graph& graph, const Node& node) {
  const auto weight = folded_values(graph, node).weight;
  const auto range = ops::value_range(weight, ops::grid_axes(node));
  return ops::make_grid(range.min, range.max, ops::grid_spec(node));
}

void join_nodes(
    Graph& graph, Node& layer, Node& bn, const LayerRule& rule, ops::FoldingScheme scheme, Changes& changes) {
  const auto prefix = layer.inputs[Folded::kWeight] + ".quantizer";
  if (layer.op == "Gemm") {
    layer.attributes = {};
    layer.attributes.set("layer", "Gemm");
  }
  layer.op = "ConvBatchNormalization";
  if (scheme == ops::FoldingScheme::exact) layer.attributes.set("scheme", "exact");
  describe_weight_grid(layer.attributes, rule);
  for (const char* name : {"epsilon", "frozen", "momentum"}) move_attribute(bn.attributes, layer.attributes, name);
  layer.inputs.resize(Folded::kGamma);
  layer.inputs.insert(layer.inputs.end(), bn.inputs.begin() + 1, bn.inputs.end());
  const auto grid =
      within(fmt::format("quantising the weight of '{}'", layer.name), [&] { return first_grid(graph, layer); });
  layer.inputs.push_back(add_constant(graph, prefix + ".scale", grid.scale, changes));
  layer.inputs.push_back(add_constant(graph, prefix + ".zero_point", grid.zero_point, changes));
  graph.replace_uses(bn.name, layer.name);
  graph.erase(bn.name);
  changes.nodes_changed += 2;
}

/// Takes apart what was joined: the layer with folded parameters, and a quantiser on its weight.
class Splitter {
public:
  Splitter(Graph& graph, const char* method, Changes& changes) : graph_(graph), method_(method), changes_(changes) {}

  /// The weight's name.
  std::string split(Node& node) {
    const auto values = folded_values(graph_, node);
    const auto inputs = node.inputs;
    const auto mask = bias_mask(node);
    Node quantizer = weight_quantizer(node);
    graph_.assign(inputs[Folded::kWeight], values.weight);
    node.inputs.resize(Folded::kGamma);
    set_bias(node, values.bias);
    graph_.parameter(node.inputs[Folded::kBias]).mask = mask;
    node.inputs[Folded::kWeight] = quantizer.name;
    graph_.insert_before(node, std::move(quantizer));
    for (size_t i = Folded::kGamma; i < Folded::kScale; ++i) {
      if (graph_.find_parameter(inputs[i]) == nullptr || !graph_.consumers(inputs[i]).empty()) continue;
      graph_.erase_parameter(inputs[i]);
      changes_.removed.push_back(inputs[i]);
    }
    changes_.nodes_changed += 2;
    return inputs[Folded::kWeight];
  }

private:
  /// A channel whose gamma and beta are masked has the folded bias 0, which stays. The layer's own mask says nothing
  /// of it: that bias was zero before the batch-norm, not behind.
  at::Tensor bias_mask(const Node& node) const {
    const auto& gamma = graph_.parameter(node.inputs[Folded::kGamma]).mask;
    const auto& beta = graph_.parameter(node.inputs[Folded::kBeta]).mask;
    if (!gamma.defined() || !beta.defined()) return {};
    return 1 - (1 - gamma) * (1 - beta);
  }

  /// The node keeps what describes the layer.
  Node weight_quantizer(Node& node) const {
    Node quantizer{.name = node.inputs[Folded::kWeight] + ".quantizer", .op = "FakeQuantize"};
    for (const size_t i : {Folded::kWeight, Folded::kScale, Folded::kZeroPoint})
      quantizer.inputs.push_back(node.inputs[i]);
    if (!node.attributes.has("axis")) node.attributes.set("axis", int64_t{0});
    for (const char* name : kWeightAttributes) move_attribute(node.attributes, quantizer.attributes, name);
    if (quantizer.attributes.integer("axis", -1) < 0) quantizer.attributes.erase("axis");
    quantizer.attributes.set("method", method_);
    const bool linear = node.attributes.text("layer", "Conv") == "Gemm";
    node.op = linear ? "Gemm" : "Conv";
    for (const char* name : {"layer", "scheme", "epsilon", "frozen", "momentum"}) node.attributes.erase(name);
    if (linear) node.attributes.set("transB", int64_t{1});
    return quantizer;
  }

  void set_bias(Node& node, at::Tensor value) {
    if (node.has_input(Folded::kBias)) {
      graph_.assign(node.inputs[Folded::kBias], std::move(value));
      return;
    }
    std::string stem = node.inputs[Folded::kWeight];
    if (stem.ends_with(".weight")) stem.resize(stem.size() - std::string_view(".weight").size());
    node.inputs[Folded::kBias] =
        graph_.add_parameter({.name = graph_.unique_name(stem + ".bias"), .value = std::move(value)}).name;
    graph_.touch();
    changes_.added.push_back(node.inputs[Folded::kBias]);
  }

  Graph& graph_;
  const char* method_;
  Changes& changes_;
};

std::vector<std::string> split_all(Graph& graph, const char* method, Changes& changes) {
  std::vector<Node*> joined;
  for (auto& node : graph.nodes())
    if (node.op == "ConvBatchNormalization") joined.push_back(&node);
  std::vector<std::string> weights;
  for (auto* node : joined) weights.push_back(Splitter(graph, method, changes).split(*node));
  return weights;
}

}  // namespace

Field folding_field(BatchNormFolding& folding) {
  Field field{
      .name = "fold_batchnorm",
      .type = "true | false | exact",
      .doc = "a batch-norm becomes one node with the convolution or linear layer before it, which quantises the folded "
             "weight: true convolves once, exact twice (Distiller's scheme); false: it stays in floating point"};
  field.read = [&folding](const Yaml& value) {
    if (value.is_scalar() && value.text == "exact")
      folding = ops::FoldingScheme::exact;
    else if (value.is_scalar() && (value.text == "true" || value.text == "false"))
      folding = value.text == "true" ? BatchNormFolding(ops::FoldingScheme::single) : std::nullopt;
    else
      throw request_error("'fold_batchnorm' must be true, false or exact").at(value.place);
  };
  field.print = [&folding] {
    return Yaml::scalar(!folding ? "false" : *folding == ops::FoldingScheme::single ? "true" : "exact", false);
  };
  field.schema = [] {
    return nlohmann::json{{"anyOf", {{{"type", "boolean"}}, {{"type", "string"}, {"enum", {"exact"}}}}}};
  };
  return field;
}

Changes join_conv_batch_normalization(Graph& graph, const LayerRules& rules, ops::FoldingScheme scheme) {
  static const Pattern pattern("layer = Conv|Gemm($x, %w, %b?)\n"
                               "bn = BatchNormalization(layer, %gamma, %beta, %mean, %variance)");
  Changes changes;
  for (const auto& match : pattern.find(graph)) {
    auto& layer = match.node("layer");
    const auto rule = rules.find(layer);
    if (!rule.computes_quantised() || !rule.weights.quantised() || rule.weights.method != "minmax") continue;
    if (shares_parameters(graph, layer) || (layer.op == "Gemm" && !is_plain_linear(graph, layer))) continue;
    join_nodes(graph, layer, match.node("bn"), rule, scheme, changes);
  }
  return changes;
}

Changes fold_conv_batch_normalization(Graph& graph) {
  Changes changes;
  split_all(graph, "fixed", changes);
  if (std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op == "BatchNormalization"; }))
    changes.append(passes::run_all(passes::make_steps({"fold_batchnorm"}), graph));
  return changes;
}

Changes freeze_conv_batch_normalization(Graph& graph, std::vector<std::string>* folded) {
  Changes changes;
  auto weights = split_all(graph, "minmax", changes);
  if (folded != nullptr) *folded = std::move(weights);
  return changes;
}

}  // namespace compress::quant
