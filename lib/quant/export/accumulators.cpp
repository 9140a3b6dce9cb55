#include "quant/export/accumulators.h"

#include "core/log.h"
#include "ops/op.h"
#include "ops/restricted_scale.h"
#include "quant/insertion/insertion.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <map>
#include <tuple>
#include <utility>
#include <vector>

namespace compress::quant {
namespace {

using ops::Quantization;

constexpr int64_t kWidest = 32;  ///< bits of an accumulator that nobody narrowed
/// Steps that a bias may take of it: half, the rest is for the products.
constexpr double kLargestBias = 1 << 30;
constexpr double kLeastStep = 1e-30;  ///< single precision holds it with all its digits
constexpr const char* kAccumulator = "accumulator";

/// A list of its own: the loops over it insert nodes.
std::vector<Node*> weighted_layers(Graph& graph) {
  std::vector<Node*> layers;
  for (auto& node : graph.nodes())
    if (ops::op_of(node).quantization == Quantization::weighted) layers.push_back(&node);
  return layers;
}

ops::Grid stored_grid(const Graph& graph, const Node& quantizer) {
  return {graph.parameter(quantizer.inputs[1]).value, graph.parameter(quantizer.inputs[2]).value};
}

const Node* weight_quantizer(const Graph& graph, const Node& layer) {
  return integer_quantizer(graph, layer, ops::op_of(layer).weight_input);
}

/// Writes the values that the same integers have on another scale, and that scale.
void move_to_scale(Graph& graph, const Node& quantizer, const at::Tensor& scale) {
  const auto grid = stored_grid(graph, quantizer);
  const auto axes = ops::grid_axes(quantizer);
  const auto& value = graph.parameter(quantizer.inputs[0]).value;
  const auto integers = ops::quantized(value, grid, ops::grid_spec(quantizer), axes);
  const auto steps = integers.sub_(ops::along_axes(grid.zero_point, axes, value));
  const auto moved = steps.to(value.scalar_type()).mul(ops::along_axes(scale, axes, value));
  graph.assign(quantizer.inputs[0], moved);
  graph.assign(quantizer.inputs[1], scale.reshape(grid.scale.sizes()));
}

/// Scale of the grid on which a layer's output is stored, perhaps behind its activation; undefined: none.
at::Tensor output_scale(const Graph& graph, const Node& layer) {
  for (const auto* node = &layer;;) {
    const auto readers = graph.consumers(node->output());
    if (readers.size() != 1 || graph.is_output(node->output())) return {};
    node = readers.front();
    if (const auto* quantizer = readers.front(); quantizer->op == "FakeQuantize") {
      const bool fixed = quantizer->attributes.text("method", "fixed") == "fixed";
      const auto& scale = graph.parameter(quantizer->inputs[1]).value;
      return fixed && ops::grid_spec(*quantizer).is_integer() && scale.numel() == 1 ? scale.reshape({}) : at::Tensor();
    }
    if (ops::op_of(*node).quantization != Quantization::activation) return {};
  }
}

/// The scale of a layer's weight with which its multiplier has so many bits.
at::Tensor approximated_scale(const Graph& graph, const Node& layer, const at::Tensor& output, int64_t bits) {
  const auto input = graph.parameter(integer_quantizer(graph, layer, 0)->inputs[1]).value.to(at::kDouble);
  const auto weight = graph.parameter(weight_quantizer(graph, layer)->inputs[1]).value;
  const auto wide = output.to(at::kDouble);
  const auto multiplier = ops::fixed_point_scale(input * weight.to(at::kDouble) / wide, bits).value;
  return (multiplier * wide / input).to(weight.scalar_type());
}

/// New scales of weights, by the name of their quantiser, and the layer that asked first.
struct NewScale {
  at::Tensor scale;
  std::string layer;
};
using NewScales = std::map<std::string, NewScale>;

void choose_scale(const Graph& graph, const Node& layer, NewScales& scales) {
  const auto* weight = weight_quantizer(graph, layer);
  const auto bits = weight == nullptr ? 0 : weight->attributes.integer("multiplier_bits", 0);
  if (bits == 0 || !sum_scale(graph, layer).defined()) return;
  const auto output = output_scale(graph, layer);
  if (!output.defined()) return;
  const auto scale = approximated_scale(graph, layer, output, bits);
  const auto [place, first] = scales.try_emplace(weight->name, NewScale{scale, layer.name});
  if (first || place->second.scale.equal(scale)) return;
  throw request_error("'{}' and '{}' share the weight '{}' and need different multipliers", place->second.layer,
                      layer.name, weight->inputs[0])
      .hint("leave out scale_approx_mult_bits for these layers");
}

/// Bits of the accumulator of the layer that reads this weight.
int64_t accumulator_bits(const Node* weight) {
  return weight == nullptr ? kWidest : weight->attributes.integer("accumulator_bits", kWidest);
}

Node fixed_quantizer(std::string name, const std::string& value, const ops::GridSpec& spec) {
  Node node{.name = std::move(name), .op = "FakeQuantize", .inputs = {value}};
  set_grid(node.attributes, spec);
  node.attributes.set("method", "fixed");
  return node;
}

void add_scale(Graph& graph, Node& quantizer, const at::Tensor& scale, Changes& changes) {
  quantizer.inputs.push_back(add_constant(graph, quantizer.name + ".scale", scale, changes));
  quantizer.inputs.push_back(add_constant(graph, quantizer.name + ".zero_point", at::zeros_like(scale), changes));
}

void erase_attribute(Graph& graph, std::string_view name) {
  for (auto& node : graph.nodes()) {
    if (node.op != "FakeQuantize" || !node.attributes.has(name)) continue;
    node.attributes.erase(name);
    graph.touch();
  }
}

/// Where a layer's output has its channels.
int64_t channel_axis(const Node& layer, const ops::Infos& infos) {
  return layer.op == "MatMul" ? std::ssize(infos.at(layer.output()).shape) - 1 : 1;
}

/// Null: the layer has no bias.
std::string* bias_input(Node& layer) {
  const int input = ops::op_of(layer).bias_input;
  if (input < 0 || !layer.has_input(static_cast<size_t>(input))) return nullptr;
  return &layer.inputs[static_cast<size_t>(input)];
}

/// A narrow register adds the bias in its own steps, whatever grid the bias had for itself.
void take_off_own_grid(Graph& graph, Node& layer) {
  auto* input = bias_input(layer);
  if (input == nullptr || accumulator_bits(weight_quantizer(graph, layer)) >= kWidest) return;
  const auto* own = graph.producer(*input);
  if (own == nullptr || own->op != "FakeQuantize" || !sum_scale(graph, layer).defined()) return;
  if (graph.find_parameter(own->inputs[0]) == nullptr) return;
  const auto name = std::exchange(*input, own->inputs[0]);
  graph.touch();
  if (graph.consumers(name).empty()) graph.erase(name);
}

/// The bias of a layer when it is still to go on the grid of the sums; null: there is no such grid, or it is on one.
const Parameter* unrounded_bias(const Graph& graph, Node& layer) {
  const auto* input = bias_input(layer);
  const auto scale = sum_scale(graph, layer);
  if (input == nullptr || !scale.defined()) return nullptr;
  if (weight_quantizer(graph, layer)->attributes.integer("float_bias", 0) != 0) return nullptr;
  const auto* bias = graph.find_parameter(*input);
  const bool fits = bias != nullptr && (scale.numel() == 1 || bias->value.sizes() == scale.sizes());
  return fits ? bias : nullptr;
}

/// The scales of a weight with which its layer's bias takes at most so many steps.
at::Tensor roomy_scale(const Graph& graph, const Node& layer, const Node& weight, const at::Tensor& bias) {
  const auto input = graph.parameter(integer_quantizer(graph, layer, 0)->inputs[1]).value.to(at::kDouble).reshape({});
  const auto& stored = graph.parameter(weight.inputs[1]).value;
  const auto scale = stored.to(at::kDouble).flatten();
  // A transposed convolution's groups have their channels one after the other.
  const auto reach = bias.to(at::kDouble).abs().reshape({-1, scale.numel()});
  const auto largest = scale.numel() == 1 ? reach.max().reshape({1}) : std::get<0>(reach.max(0));
  const auto least = largest.div(kLargestBias).clamp_min(kLeastStep).div(input);
  const auto range = ops::value_range(graph.parameter(weight.inputs[0]).value, ops::grid_axes(weight));
  const auto empty = range.min.eq(0).logical_and_(range.max.eq(0)).flatten();
  const auto present = scale.masked_select(empty.logical_not());
  const auto usual = present.numel() > 0 ? present.min() : at::zeros_like(input);
  const auto start = at::where(empty.logical_and(largest.gt(0)), usual, scale);
  auto roomy = at::maximum(start, least);
  if (ops::grid_spec(weight).scale_rule == ops::ScaleRule::power_of_two) roomy = ops::power_of_two(roomy);
  return roomy.to(stored.scalar_type()).reshape(stored.sizes());
}

void make_room_for_bias(Graph& graph, Node& layer, Changes& changes) {
  const auto* bias = unrounded_bias(graph, layer);
  if (bias == nullptr) return;
  require_finite(*bias);
  const auto* weight = weight_quantizer(graph, layer);
  if (accumulator_bits(weight) < kWidest || graph.find_parameter(weight->inputs[0]) == nullptr) return;
  auto scale = roomy_scale(graph, layer, *weight, bias->value.detach());
  if (scale.equal(graph.parameter(weight->inputs[1]).value)) return;
  graph.assign(weight->inputs[1], std::move(scale));
  ++changes.nodes_changed;
}

void quantize_bias(Graph& graph, Node& layer, Changes& changes) {
  if (unrounded_bias(graph, layer) == nullptr) return;
  auto& input = *bias_input(layer);
  const auto scale = sum_scale(graph, layer);
  auto grid = kBiasGrid;
  grid.bits = static_cast<int>(accumulator_bits(weight_quantizer(graph, layer)));
  auto quantizer = fixed_quantizer(graph.unique_name(input + ".quantizer"), input, grid);
  if (scale.numel() > 1) quantizer.attributes.set("axis", int64_t{0});
  add_scale(graph, quantizer, scale, changes);
  input = graph.insert_before(layer, std::move(quantizer)).name;
  changes.nodes_changed += 2;
}

void narrow_accumulator(Graph& graph, const Node& layer, const ops::Infos& infos, Changes& changes) {
  const auto bits = accumulator_bits(weight_quantizer(graph, layer));
  if (bits >= kWidest) return;
  const auto scale = sum_scale(graph, layer);
  const int bias = ops::op_of(layer).bias_input;
  const bool biased = bias >= 0 && layer.has_input(static_cast<size_t>(bias));
  if (!scale.defined() || (biased && bias_on_sums(graph, layer) == nullptr)) {
    log::warning("the accumulator of '{}' is not narrowed to {} bits: {}", layer.name, bits,
                 scale.defined() ? "its bias is not on the grid of its sums"
                                 : "its input and its weight are not both on fixed grids of integers");
    return;
  }
  const auto value = layer.output();
  auto quantizer = fixed_quantizer(graph.unique_name(value + ".accumulator"), value, {.bits = static_cast<int>(bits)});
  if (scale.numel() > 1) quantizer.attributes.set("axis", channel_axis(layer, infos));
  quantizer.attributes.set(kAccumulator, int64_t{1});
  add_scale(graph, quantizer, scale, changes);
  const auto& name = graph.insert_after(layer, std::move(quantizer)).name;
  graph.replace_uses(value, name, name);
  ++changes.nodes_changed;
}

}  // namespace

const Node* integer_quantizer(const Graph& graph, const Node& node, int input) {
  if (input < 0 || !node.has_input(static_cast<size_t>(input))) return nullptr;
  const auto* producer = graph.producer(node.inputs[static_cast<size_t>(input)]);
  if (producer == nullptr || producer->op != "FakeQuantize") return nullptr;
  if (producer->attributes.text("method", "fixed") != "fixed") return nullptr;
  return ops::grid_spec(*producer).is_integer() ? producer : nullptr;
}

at::Tensor sum_scale(const Graph& graph, const Node& layer) {
  const auto *input = integer_quantizer(graph, layer, 0), *weight = weight_quantizer(graph, layer);
  if (input == nullptr || weight == nullptr || ops::grid_axes(*weight).group_size > 0) return {};
  const auto& input_scale = graph.parameter(input->inputs[1]).value;
  if (input_scale.numel() != 1) return {};
  const auto scale = input_scale * graph.parameter(weight->inputs[1]).value;
  // The weight of a transposed convolution names the channels of one group.
  return layer.op == "ConvTranspose" && scale.numel() > 1 ? scale.repeat(layer.attributes.integer("group", 1)) : scale;
}

const Node* bias_on_sums(const Graph& graph, const Node& layer) {
  if (ops::op_of(layer).quantization != Quantization::weighted) return nullptr;
  const auto* bias = integer_quantizer(graph, layer, ops::op_of(layer).bias_input);
  const auto scale = sum_scale(graph, layer);
  if (bias == nullptr || !scale.defined() || graph.find_parameter(bias->inputs[0]) == nullptr) return nullptr;
  return graph.parameter(bias->inputs[1]).value.equal(scale) ? bias : nullptr;
}

bool is_accumulator(const Node& node) {
  return node.op == "FakeQuantize" && node.attributes.integer(kAccumulator, 0) != 0;
}

void quantize_biases(Graph& graph, Changes& changes) {
  const at::NoGradGuard no_grad;
  const auto layers = weighted_layers(graph);
  for (auto* layer : layers) take_off_own_grid(graph, *layer);
  // Layers may share a weight: all scales come before the first bias.
  for (auto* layer : layers) make_room_for_bias(graph, *layer, changes);
  for (auto* layer : layers) quantize_bias(graph, *layer, changes);
}

void approximate_multipliers(Graph& graph, Changes& changes) {
  NewScales scales;
  const auto layers = weighted_layers(graph);
  for (const auto* layer : layers) choose_scale(graph, *layer, scales);
  std::vector<std::pair<const Node*, const Node*>> biases;  // a layer and its bias's quantiser
  for (const auto* layer : layers)
    if (const auto* bias = bias_on_sums(graph, *layer); bias != nullptr) biases.emplace_back(layer, bias);
  for (const auto& [name, chosen] : scales) move_to_scale(graph, graph.node(name), chosen.scale);
  for (const auto& [layer, bias] : biases)
    if (scales.contains(weight_quantizer(graph, *layer)->name)) move_to_scale(graph, *bias, sum_scale(graph, *layer));
  changes.nodes_changed += std::ssize(scales);
  erase_attribute(graph, "multiplier_bits");
}

void narrow_accumulators(Graph& graph, Changes& changes) {
  const auto layers = weighted_layers(graph);
  const auto infos = ops::infer(graph);
  for (const auto* layer : layers) narrow_accumulator(graph, *layer, infos, changes);
  erase_attribute(graph, "accumulator_bits");
}

}  // namespace compress::quant
