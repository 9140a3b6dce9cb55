#include "report/drawing.h"

#include "analysis/weight.h"

#include <set>

namespace compress::report {

namespace {

enum class Kind : size_t { weighted, normalization, activation, pooling, arithmetic, movement, quantizer, other };
constexpr OperatorClass kClasses[] = {
    {"linear", "#c6dbf0"},     {"normalisation", "#c9e7e2"}, {"activation", "#d5ebc8"}, {"pooling", "#fbdcbc"},
    {"arithmetic", "#fdf0bf"}, {"moves values", "#e9e9e9"},  {"quantiser", "#e2d5f0"},  {"other", "#f6dada"}};

Kind kind_of(const ops::Op& op) {
  using ops::Quantization;
  if (op.name.find("Pool") != std::string_view::npos) return Kind::pooling;
  if (op.weight_input >= 0 || op.quantization == Quantization::weighted) return Kind::weighted;
  if (op.name.ends_with("Normalization") || op.name == "LRN") return Kind::normalization;
  switch (op.quantization) {
  case Quantization::activation: return Kind::activation;
  case Quantization::arithmetic: return op.max_inputs == 1 ? Kind::activation : Kind::arithmetic;
  case Quantization::same_grid: return Kind::movement;
  case Quantization::quantizer: return Kind::quantizer;
  default: return Kind::other;
  }
}

}  // namespace

std::span<const OperatorClass> operator_classes() {
  return kClasses;
}

const OperatorClass& class_of(const ops::Op& op) {
  return kClasses[static_cast<size_t>(kind_of(op))];
}

Drawing::Drawing(const Graph& graph) : graph_(graph), cost_(analysis::cost(graph)), infos_(ops::infer(graph, 1)) {
  auto cost = cost_.nodes.begin();
  for (const Node& node : graph.nodes()) {
    const auto& own = *cost++;
    if (analysis::is_parameter_quantizer(graph, node)) continue;
    nodes_.push_back({.node = &node, .cost = &own, .kind = class_of(ops::op_of(node))});
    if (cost_.macs > 0) nodes_.back().share = static_cast<double>(own.macs) / static_cast<double>(cost_.macs);
    std::set<std::string_view> drawn;  // x * x is one line
    for (const auto& input : node.inputs) {
      if (input.empty() || analysis::parameter_behind(graph, input) || !drawn.insert(input).second) continue;
      const Node* producer = graph.producer(input);
      edges_.push_back({producer ? producer->name : input, node.name, false, input, shape(input)});
    }
  }
  for (const auto& output : graph.outputs) {
    const Node* producer = graph.producer(output.value);
    if (!producer && !graph.is_input(output.value)) continue;  // a parameter
    edges_.push_back({producer ? producer->name : output.value, output.name, true, output.value, shape(output.value)});
  }
}

const Parameter* Drawing::weight(const Node& node) const {
  return analysis::weight_of(graph_, node);
}

}  // namespace compress::report
