#include "quant/export/absorb_batch_normalization.h"

#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "quant/insertion/quantizer_node.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

namespace compress::quant {
namespace {

/// A layer, the quantiser of its weight, and the batch-norm behind it.
struct Normalized {
  Node* layer = nullptr;
  Node* quantizer = nullptr;
  Node* batch_norm = nullptr;
  int64_t axis = 0;  ///< of the weight's output channels
};

class Absorber {
public:
  explicit Absorber(Graph& graph) : graph_(graph) {}

  Changes run() {
    std::vector<Normalized> found;
    for (auto& node : graph_.nodes())
      if (auto normalized = behind(node); normalized.batch_norm != nullptr) found.push_back(normalized);
    for (const auto& normalized : found) absorb(normalized);
    return std::move(changes_);
  }

private:
  Node* only_reader(const std::string& value) const {
    if (graph_.is_output(value)) return nullptr;
    const auto readers = graph_.consumers(value);
    return readers.size() == 1 ? readers[0] : nullptr;
  }

  bool is_plain_layer(const Node& node) const {
    if (node.op == "Conv") return true;
    return node.op == "Gemm" && node.attributes.number("alpha", 1) == 1 && node.attributes.number("beta", 1) == 1;
  }

  bool has_own_bias(const Node& node, int input) const {
    if (!node.has_input(static_cast<size_t>(input))) return true;
    const auto& name = node.inputs[static_cast<size_t>(input)];
    return graph_.find_parameter(name) != nullptr && graph_.consumers(name).size() == 1;
  }

  /// The quantiser, when its integers can take a factor for each output channel.
  Node* free_quantizer(const Node& node, int input, int64_t axis) const {
    auto* quantizer = graph_.producer(node.inputs[static_cast<size_t>(input)]);
    if (quantizer == nullptr || quantizer->op != "FakeQuantize") return nullptr;
    if (quantizer->attributes.text("method", "fixed") != "fixed" || only_reader(quantizer->name) == nullptr)
      return nullptr;
    for (const auto& name : quantizer->inputs)
      if (graph_.find_parameter(name) == nullptr || graph_.consumers(name).size() != 1) return nullptr;
    const auto spec = ops::grid_spec(*quantizer);
    const auto axes = ops::grid_axes(*quantizer);
    const bool fits = axes.axis < 0 || axes.axis == axis;
    return fits && spec.is_integer() && spec.scale_rule == ops::ScaleRule::exact ? quantizer : nullptr;
  }

  Normalized behind(Node& node) const {
    if (!is_plain_layer(node)) return {};
    const auto& op = ops::op_of(node);
    auto* batch_norm = only_reader(node.name);
    if (batch_norm == nullptr || batch_norm->op != "BatchNormalization" || batch_norm->inputs[0] != node.name)
      return {};
    if (!has_own_bias(node, op.bias_input)) return {};
    const int64_t axis = op.weight_axis(node);
    auto* quantizer = free_quantizer(node, op.weight_input, axis);
    if (quantizer == nullptr) return {};
    return {&node, quantizer, batch_norm, axis};
  }

  at::Tensor tensor(const Node& node, size_t input) const {
    return graph_.parameter(node.inputs[input]).value.detach();
  }

  void absorb(const Normalized& normalized) {
    const auto& [layer, quantizer, batch_norm, axis] = normalized;
    const auto deviation = (tensor(*batch_norm, 4) + batch_norm->attributes.number("epsilon", 1e-5)).sqrt();
    const auto factor = tensor(*batch_norm, 1) / deviation;
    scale_weight(*quantizer, factor, axis);
    const int input = ops::op_of(*layer).bias_input;
    const auto mean = tensor(*batch_norm, 3), beta = tensor(*batch_norm, 2);
    const bool biased = layer->has_input(static_cast<size_t>(input));
    set_bias(*layer, static_cast<size_t>(input),
             beta + (biased ? tensor(*layer, static_cast<size_t>(input)) - mean : -mean) * factor);
    graph_.replace_uses(batch_norm->name, layer->name);
    graph_.erase(batch_norm->name);
    changes_.nodes_changed += 3;
    graph_.touch();
  }

  void set_bias(Node& layer, size_t input, at::Tensor bias) {
    if (layer.has_input(input)) {
      graph_.assign(layer.inputs[input], std::move(bias));
      return;
    }
    const auto name = graph_.unique_name(layer.name + ".bias");
    changes_.added.push_back(name);
    graph_.add_parameter({.name = name, .value = std::move(bias)});
    layer.inputs.resize(input);
    layer.inputs.push_back(name);
  }

  /// Mirrored integers are low + high - q, with the zero point mirrored likewise. On symmetric grids that is -q, unless
  /// an integer is the lowest one, which has no mirror image of its own.
  void scale_weight(Node& quantizer, const at::Tensor& factor, int64_t axis) {
    auto spec = ops::grid_spec(quantizer);
    const auto axes = ops::grid_axes(quantizer);
    const auto weight = tensor(quantizer, 0);
    const ops::Grid grid{tensor(quantizer, 1), tensor(quantizer, 2)};
    const auto codes = ops::quantized(weight, grid, spec, axes);
    const auto mirrored = factor.lt(0);
    const auto turned = ops::along_axis(mirrored, axis, weight.dim());
    const auto both_ends = static_cast<double>(spec.low() + spec.high());
    const bool lowest = codes.eq(static_cast<double>(spec.low())).logical_and(turned).any().item<bool>();
    if (spec.symmetric && lowest && !spec.narrow && spec.is_signed) spec.symmetric = false;
    const auto zero = ops::along_axes(grid.zero_point, axes, weight).to(weight.scalar_type());
    const auto steps = (codes - zero) * at::where(turned, -weight.new_ones({}), weight.new_ones({}));

    const auto per_scale = [&](const at::Tensor& values) {  // [C], or [C, groups]
      return axes.group_size > 0 ? values.unsqueeze(-1) : values;
    };
    const auto used = at::where(factor.eq(0), factor.new_ones({}), factor.abs());
    const auto scale = grid.scale * per_scale(used);
    auto zero_point = grid.zero_point.expand_as(scale).clone();
    if (!spec.symmetric) zero_point = at::where(per_scale(mirrored), both_ends - zero_point, zero_point);
    if (axes.axis < 0) quantizer.attributes.set("axis", axis);
    ops::set_grid(quantizer.attributes, spec);
    const auto present = at::where(ops::along_axis(factor.eq(0), axis, weight.dim()), at::zeros_like(steps), steps);
    graph_.assign(quantizer.inputs[0], present * ops::along_axes(scale, ops::grid_axes(quantizer), weight));
    graph_.assign(quantizer.inputs[1], scale);
    graph_.assign(quantizer.inputs[2], zero_point);
  }

  Graph& graph_;
  Changes changes_;
};

}  // namespace

Changes absorb_batch_normalization(Graph& graph) {
  const at::NoGradGuard no_grad;
  return Absorber(graph).run();
}

}  // namespace compress::quant
