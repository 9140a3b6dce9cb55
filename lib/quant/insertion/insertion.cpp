#include "quant/insertion/insertion.h"

#include "ops/grid_method.h"
#include "quant/insertion/parameter_insertion.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/ops/scalar_tensor.h>

namespace compress::quant {
namespace {

class ValueInserter {
public:
  ValueInserter(Graph& graph, OutputGrids outputs, const ValueRanges& ranges)
      : graph_(graph), keeps_outputs_(outputs == OutputGrids::none), ranges_(ranges) {}

  Changes run(const std::vector<SharedGrid>& grids) {
    for (const auto& grid : grids) quantize(grid);
    return std::move(changes_);
  }

private:
  /// On the device where the network is.
  at::Tensor number(double value) const {
    const auto parameters = graph_.parameters();
    const auto device = parameters.empty() ? at::Device(at::kCPU) : parameters.front().value.device();
    return at::scalar_tensor(value, at::TensorOptions(at::kFloat).device(device));
  }

  ops::ValueRange range(const SharedGrid& grid) const {
    Extremes extremes;
    if (ops::grid_method(grid.rule.method).needs_range) {
      const auto found = ranges_.find(grid.values[0]);
      if (found == ranges_.end()) throw run_error("no range is known for the grid of '{}'", grid.values[0]);
      extremes = found->second;
    }
    return {number(extremes.low), number(extremes.high)};
  }

  Node& insert(const std::string& value, Node quantizer) {
    ++changes_.nodes_changed;
    if (const auto* producer = graph_.producer(value)) return graph_.insert_after(*producer, std::move(quantizer));
    const auto readers = graph_.consumers(value);  // none: an input that is an output
    return readers.empty() ? graph_.add(std::move(quantizer))
                           : graph_.insert_before(*readers.front(), std::move(quantizer));
  }

  /// A constant among values whose grid follows each batch has a grid of its own, known now.
  static SharedGrid of_constant(const SharedGrid& grid, size_t i) {
    auto rule = grid.rule_of(i);
    rule.method = "fixed";
    rule.method_arguments = {};
    return {.values = {grid.values[i]}, .rule = rule, .own = {rule}};
  }

  void quantize(const SharedGrid& whole) {
    auto grid = whole;
    if (grid.rule.method == "dynamic")
      for (size_t i = grid.values.size(); i-- > 0;)
        if (const auto* constant = graph_.find_parameter(grid.values[i])) {
          require_finite(*constant);
          add(of_constant(grid, i), ops::value_range(constant->value, {}));
          grid.values.erase(grid.values.begin() + static_cast<std::ptrdiff_t>(i));
          if (!grid.own.empty()) grid.own.erase(grid.own.begin() + static_cast<std::ptrdiff_t>(i));
        }
    if (!grid.values.empty()) add(grid, range(grid));
  }

  void add(const SharedGrid& grid, const ops::ValueRange& range) {
    const auto outputs = graph_.outputs;
    const auto parameters =
        add_quantizer_parameters(graph_, grid.values[0] + ".quantizer", grid.rule, range, grid.values.size(), changes_);
    for (size_t i = 0; i < grid.values.size(); ++i) {
      const auto& value = grid.values[i];
      auto quantizer = quantizer_node(value + ".quantizer", value, grid.rule_of(i), parameters);
      if (has_slots(grid)) quantizer.attributes.set("slot", static_cast<int64_t>(i));
      const auto& name = insert(value, std::move(quantizer)).name;
      graph_.replace_uses(value, name, name);
    }
    if (keeps_outputs_) graph_.outputs = outputs;
  }

  static bool has_slots(const SharedGrid& grid) {
    if (grid.values.size() < 2) return false;
    for (const auto& input : ops::grid_method(grid.rule.method).inputs)
      if (input.per_value) return true;
    return false;
  }

  Graph& graph_;
  bool keeps_outputs_;
  const ValueRanges& ranges_;
  Changes changes_;
};

}  // namespace

Changes insert_quantizers(Graph& graph,
                          const std::vector<SharedGrid>& grids,
                          const InsertionOptions& options,
                          const ValueRanges& ranges) {
  auto changes = ValueInserter(graph, options.outputs, ranges).run(grids);
  changes.append(quantize_parameters(graph, options));
  changes.append(set_floating_types(graph, options));
  return changes;
}

}  // namespace compress::quant
