#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "passes/pass.h"

#include <ATen/core/grad_mode.h>

namespace compress::passes {

namespace {

/// nnieqat's quant_dequant_weight: whatever reads a weight reads it rounded to GFPQ levels.
/// The weight itself stays as it is behind a quantiser, so training goes on with it, a file without own operators gets
/// the rounded numbers, and unquant_weight takes the quantisers away again.
class QuantDequantWeight final : public Pass {
public:
  void declare(Settings& s) override { s.optional("bits", bits_, "width of a GFPQ number: 8 or 16", in(8, 16)); }

  void bind(const Graph&, const OpenModel&, Problems& problems) override {
    problems.capture([&] { ops::check_spec(spec()); });
  }

  bool quantizes() const override { return true; }

  Changes run(Graph& graph) override {
    ops::check_spec(spec());
    const at::NoGradGuard no_grad;
    std::vector<Node*> nodes;
    for (auto& node : graph.nodes()) nodes.push_back(&node);
    Changes changes;
    for (auto* node : nodes) {
      const auto input = ops::op_of(*node).weight_input;
      if (input < 0 || !node->has_input(input) || node->op == "ConvBatchNormalization") continue;
      if (const auto* weight = graph.find_parameter(node->inputs[input])) {
        node->inputs[input] = quantizer_of(graph, *node, *weight, changes);
        ++changes.nodes_changed;
        graph.touch();
      } else if (auto* quantizer = graph.producer(node->inputs[input]); quantizer != nullptr && is_ours(*quantizer)) {
        follow(graph, *quantizer);
        ++changes.nodes_changed;
      }
    }
    return changes;
  }

private:
  ops::GridSpec spec() const {
    ops::GridSpec spec{.bits = static_cast<int>(bits_)};
    spec.format = ops::GridFormat::gfpq;
    return spec;
  }

  static bool is_ours(const Node& node) {
    return node.op == "FakeQuantize" && node.attributes.text("format", "integer") == "gfpq";
  }

  static ops::Grid grid_of(const at::Tensor& weight, const ops::GridSpec& spec) {
    const auto range = ops::value_range(weight.detach(), {});
    return ops::make_grid(range.min, range.max, spec);
  }

  /// The weight has learned since: its largest magnitude is another.
  static void follow(Graph& graph, const Node& quantizer) {
    const auto grid = grid_of(graph.parameter(quantizer.inputs[0]).value, ops::grid_spec(quantizer));
    ops::write_grid(grid, graph.writable(quantizer.inputs[1]), graph.writable(quantizer.inputs[2]));
  }

  /// One for each weight, whoever reads it.
  std::string quantizer_of(Graph& graph, const Node& reader, const Parameter& weight, Changes& changes) const {
    const auto name = weight.name + ".quantizer";
    if (graph.find_node(name) != nullptr) return name;
    const auto grid = grid_of(weight.value, spec());
    Node quantizer{.name = name, .op = "FakeQuantize", .inputs = {weight.name, name + ".scale", name + ".zero_point"}};
    graph.add_parameter({.name = quantizer.inputs[1], .value = grid.scale, .trainable = false});
    graph.add_parameter({.name = quantizer.inputs[2], .value = grid.zero_point, .trainable = false});
    changes.added.insert(changes.added.end(), quantizer.inputs.begin() + 1, quantizer.inputs.end());
    ops::set_grid(quantizer.attributes, spec());
    quantizer.attributes.set("method", "minmax");
    graph.insert_before(reader, std::move(quantizer));
    return name;
  }

  int64_t bits_ = 8;
};

}  // namespace

extern const Entry<Pass> quant_dequant_weight{
    "quant_dequant_weight", "rounds weights to GFPQ levels, which unquant_weight takes back (nnieqat's)",
    make_component<Pass, QuantDequantWeight>};

}  // namespace compress::passes
