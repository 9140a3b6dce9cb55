#include "quant/insertion.h"

#include "ops/op.h"

#include <ATen/ops/scalar_tensor.h>

#include <algorithm>

namespace compress::quant {
namespace {

const std::string kSuffix = ".quantizer";

class Inserter {
public:
  Inserter(Graph& graph, const InsertionOptions& options, const ValueRanges& ranges)
      : graph_(graph), options_(options), ranges_(ranges) {}

  Changes run(const std::vector<SharedGrid>& grids) {
    // The overrides ask who makes a value: decided before the first edit.
    std::vector<std::optional<int64_t>> bits;
    for (const auto& grid : grids) bits.push_back(grid_bits(graph_, grid, options_));
    for (size_t i = 0; i < grids.size(); ++i)
      if (quantised(bits[i])) quantize_values(grids[i], *bits[i]);
    std::vector<Node*> nodes;
    for (auto& node : graph_.nodes()) nodes.push_back(&node);
    for (auto* node : nodes) quantize_parameters(*node);
    return std::move(changes_);
  }

private:
  /// On the device where the network is.
  at::Tensor number(double value) const {
    const auto parameters = graph_.parameters();
    const auto device = parameters.empty() ? at::Device(at::kCPU) : parameters.front().value.device();
    return at::scalar_tensor(value, at::TensorOptions(at::kFloat).device(device));
  }

  std::string add(const std::string& name, at::Tensor value) {
    return add_constant(graph_, name, std::move(value), changes_);
  }

  Node& insert(const std::string& value, Node quantizer) {
    ++changes_.nodes_changed;
    if (const auto* producer = graph_.producer(value)) return graph_.insert_after(*producer, std::move(quantizer));
    const auto readers = graph_.consumers(value);  // none: an input that is an output
    return readers.empty() ? graph_.add(std::move(quantizer))
                           : graph_.insert_before(*readers.front(), std::move(quantizer));
  }

  void quantize_values(const SharedGrid& grid, int64_t bits) {
    const auto outputs = graph_.outputs;
    const auto shared = options_.ema_decay ? moving_scale(grid) : fixed_scale(grid, bits);
    for (size_t i = 0; i < grid.values.size(); ++i) {
      const auto& value = grid.values[i];
      Node quantizer{.name = value + kSuffix, .op = "FakeQuantize", .inputs = {value}};
      quantizer.inputs.insert(quantizer.inputs.end(), shared.begin(), shared.end());
      set_grid(quantizer.attributes, with_bits(options_.activations, bits));
      quantizer.attributes.set("method", options_.ema_decay ? "ema" : "fixed");
      if (options_.ema_decay) quantizer.attributes.set("ema_decay", *options_.ema_decay);
      if (options_.ema_decay && grid.values.size() > 1) quantizer.attributes.set("slot", static_cast<int64_t>(i));
      const auto& name = insert(value, std::move(quantizer)).name;
      graph_.replace_uses(value, name, name);
    }
    if (options_.outputs == OutputGrids::none) graph_.outputs = outputs;
  }

  /// Scale and zero point from what calibration saw.
  std::vector<std::string> fixed_scale(const SharedGrid& grid, int64_t bits) {
    auto range = ranges_.find(grid.values[0])->second;
    for (const auto& value : grid.values) {
      const auto& other = ranges_.find(value)->second;
      range = {std::min(range.low, other.low), std::max(range.high, other.high)};
    }
    const auto prefix = grid.values[0] + kSuffix;
    const auto made = ops::make_grid(number(range.low), number(range.high), with_bits(options_.activations, bits));
    return {add(prefix + ".scale", made.scale), add(prefix + ".zero_point", made.zero_point)};
  }

  /// Scale, zero point and the moving averages that they follow: one average for each value of the grid.
  std::vector<std::string> moving_scale(const SharedGrid& grid) {
    const auto prefix = grid.values[0] + kSuffix;
    const auto averages = [&] {
      return grid.values.size() == 1 ? number(0) : number(0).repeat(static_cast<int64_t>(grid.values.size()));
    };
    return {add(prefix + ".scale", number(1)), add(prefix + ".zero_point", number(0)),
            add(prefix + ".range_min", averages()), add(prefix + ".range_max", averages()),
            add(prefix + ".steps", averages())};
  }

  void quantize_parameters(Node& node) {
    const auto& op = ops::op_of(node);
    if (op.quantization != ops::Quantization::weighted) return;
    const std::string names[] = {node.name};
    const auto& bits = options_.overrides.find(names);
    // A ConvBatchNormalization quantises its folded weight itself.
    if (quantised(bits.weights) && node.op != "ConvBatchNormalization") {
      const int64_t axis = options_.per_channel_weights ? op.weight_axis(node) : -1;
      quantize_parameter(node, op.weight_input, with_bits(options_.weights, *bits.weights), axis);
    }
    if (quantised(bits.bias)) quantize_parameter(node, op.bias_input, with_bits(kBiasGrid, *bits.bias), -1);
  }

  /// One quantiser for each parameter, whoever reads it.
  void quantize_parameter(Node& node, int input, const ops::GridSpec& spec, int64_t axis) {
    if (input < 0 || !node.has_input(input)) return;
    const auto* parameter = graph_.find_parameter(node.inputs[input]);
    if (parameter == nullptr) return;
    if (axis >= parameter->value.dim()) axis = -1;  // a product with a list has no output channels
    const auto name = parameter->name + kSuffix;
    if (graph_.find_node(name) == nullptr) {
      const auto range = ops::value_range(parameter->value, axis);
      const auto grid = ops::make_grid(range.min, range.max, spec);
      Node quantizer{.name = name, .op = "FakeQuantize", .inputs = {parameter->name}};
      quantizer.inputs.push_back(add(name + ".scale", grid.scale));
      quantizer.inputs.push_back(add(name + ".zero_point", grid.zero_point));
      set_grid(quantizer.attributes, spec);
      if (axis >= 0) quantizer.attributes.set("axis", axis);
      quantizer.attributes.set("method", options_.ema_decay ? "minmax" : "fixed");
      graph_.insert_before(node, std::move(quantizer));
    }
    node.inputs[input] = name;
    ++changes_.nodes_changed;
    graph_.touch();
  }

  Graph& graph_;
  const InsertionOptions& options_;
  const ValueRanges& ranges_;
  Changes changes_;
};

}  // namespace

std::optional<int64_t> grid_bits(const Graph& graph, const SharedGrid& grid, const InsertionOptions& options) {
  std::vector<std::string> names;
  for (const auto& value : grid.values)
    for (auto& name : owners(graph, value)) names.push_back(std::move(name));
  if (!options.overrides.matches(names) && graph.is_input(grid.values[0])) {
    if (!options.quantize_inputs) return std::nullopt;
    if (options.bits_inputs) return options.bits_inputs;
  }
  return options.overrides.find(names).activations;
}

Changes insert_quantizers(Graph& graph,
                          const std::vector<SharedGrid>& grids,
                          const InsertionOptions& options,
                          const ValueRanges& ranges) {
  return Inserter(graph, options, ranges).run(grids);
}

std::string add_constant(Graph& graph, const std::string& name, at::Tensor value, Changes& changes) {
  changes.added.push_back(name);
  return graph.add_parameter({.name = name, .value = std::move(value), .trainable = false}).name;
}

void set_grid(Attributes& attributes, const ops::GridSpec& spec) {
  attributes.set("bits", int64_t{spec.bits});
  attributes.set("signed", int64_t{spec.is_signed});
  attributes.set("narrow_range", int64_t{spec.narrow});
  attributes.set("symmetric", int64_t{spec.symmetric});
}

ops::GridSpec with_bits(ops::GridSpec spec, int64_t bits) {
  spec.bits = static_cast<int>(bits);
  return spec;
}

}  // namespace compress::quant
