#include "quant/conv_batch_normalization.h"

#include "graph/match.h"
#include "passes/pass.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

namespace compress::quant {
namespace {

/// The inputs of a ConvBatchNormalization.
enum Input : size_t { kX, kWeight, kBias, kGamma, kBeta, kMean, kVariance, kScale, kZeroPoint };

void move_attribute(Attributes& from, Attributes& to, const char* name) {
  if (const auto* value = from.find(name)) to.set(name, *value);
  from.erase(name);
}

/// The grid of the folded weight at the present statistics; training renews it at every step.
ops::Grid folded_grid(const Graph& graph, const Node& conv, const Node& bn, const ops::GridSpec& spec) {
  const auto tensor = [&](size_t input) { return graph.parameter(bn.inputs[input]).value.detach(); };
  const auto factor = tensor(1) / (tensor(4) + bn.attributes.number("epsilon", 1e-5)).sqrt();
  const auto weight = graph.parameter(conv.inputs[1]).value.detach();
  const auto range = ops::value_range(weight * ops::along_axis(factor, 0, weight.dim()), 0);
  return ops::make_grid(range.min, range.max, spec);
}

void join_nodes(Graph& graph, Node& conv, Node& bn, const ops::GridSpec& spec, Changes& changes) {
  const auto grid = folded_grid(graph, conv, bn, spec);
  const auto prefix = conv.inputs[kWeight] + ".quantizer";
  conv.op = "ConvBatchNormalization";
  conv.inputs.resize(kGamma);
  conv.inputs.insert(conv.inputs.end(), bn.inputs.begin() + 1, bn.inputs.end());
  conv.inputs.push_back(add_constant(graph, prefix + ".scale", grid.scale, changes));
  conv.inputs.push_back(add_constant(graph, prefix + ".zero_point", grid.zero_point, changes));
  conv.attributes.set("bits", int64_t{spec.bits});
  conv.attributes.set("narrow_range", int64_t{spec.narrow});
  move_attribute(bn.attributes, conv.attributes, "epsilon");
  move_attribute(bn.attributes, conv.attributes, "momentum");
  graph.replace_uses(bn.name, conv.name);
  graph.erase(bn.name);
  changes.nodes_changed += 2;
}

/// What of an owned weight quantiser outlasts the split into Conv and BatchNormalization.
struct OwnedQuantizer {
  std::string conv;
  ops::GridSpec spec;
  ops::Grid grid;
};

OwnedQuantizer split_node(Graph& graph, Node& conv) {
  auto spec = ops::grid_spec(conv);
  spec.is_signed = spec.symmetric = true;
  const auto tensor = [&](size_t input) { return graph.parameter(conv.inputs[input]).value; };
  OwnedQuantizer owned{conv.name, spec, {tensor(kScale), tensor(kZeroPoint)}};
  Node bn{
      .name = graph.unique_name(conv.name + ".batch_normalization"), .op = "BatchNormalization", .inputs = {conv.name}};
  bn.inputs.insert(bn.inputs.end(), conv.inputs.begin() + kGamma, conv.inputs.begin() + kScale);
  move_attribute(conv.attributes, bn.attributes, "epsilon");
  move_attribute(conv.attributes, bn.attributes, "momentum");
  conv.attributes.erase("bits");
  conv.attributes.erase("narrow_range");
  conv.op = "Conv";
  conv.inputs.resize(conv.has_input(kBias) ? kGamma : kBias);
  const auto& name = graph.insert_after(conv, std::move(bn)).name;
  graph.replace_uses(conv.name, name, name);
  return owned;
}

void quantize_weight(Graph& graph, const OwnedQuantizer& owned, Changes& changes) {
  auto& conv = graph.node(owned.conv);
  Node quantizer{.name = conv.inputs[kWeight] + ".quantizer", .op = "FakeQuantize", .inputs = {conv.inputs[kWeight]}};
  quantizer.inputs.push_back(add_constant(graph, quantizer.name + ".scale", owned.grid.scale, changes));
  quantizer.inputs.push_back(add_constant(graph, quantizer.name + ".zero_point", owned.grid.zero_point, changes));
  set_grid(quantizer.attributes, owned.spec);
  quantizer.attributes.set("axis", int64_t{0});
  quantizer.attributes.set("method", "fixed");
  conv.inputs[kWeight] = graph.insert_before(conv, std::move(quantizer)).name;
}

}  // namespace

Changes join_conv_batch_normalization(Graph& graph, const InsertionOptions& options) {
  static const Pattern pattern("conv = Conv($x, %w, %b?)\n"
                               "bn = BatchNormalization(conv, %gamma, %beta, %mean, %variance)");
  auto weights = options.weights;
  weights.is_signed = weights.symmetric = true;
  Changes changes;
  for (const auto& match : pattern.find(graph)) {
    const std::string names[] = {match.node("conv").name};
    const auto bits = options.overrides.find(names).weights;
    if (!quantised(bits) || graph.consumers(match.value("w")).size() > 1) continue;
    join_nodes(graph, match.node("conv"), match.node("bn"), with_bits(weights, *bits), changes);
  }
  return changes;
}

Changes fold_conv_batch_normalization(Graph& graph) {
  std::vector<Node*> joined;
  for (auto& node : graph.nodes())
    if (node.op == "ConvBatchNormalization") joined.push_back(&node);
  std::vector<OwnedQuantizer> owned;
  for (auto* node : joined) owned.push_back(split_node(graph, *node));
  if (std::ranges::none_of(graph.nodes(), [](const Node& node) { return node.op == "BatchNormalization"; })) return {};
  // The pass drops the scales, which no node reads meanwhile; they come back with the quantisers.
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  for (const auto& quantizer : owned) quantize_weight(graph, quantizer, changes);
  return changes;
}

}  // namespace compress::quant
