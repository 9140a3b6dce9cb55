#include "ops/op.h"
#include "quant/conv_batch_normalization.h"
#include "quant/insertion.h"
#include "quant/quantizer.h"

#include <ATen/TensorOperators.h>

/// From the graph that was calibrated or trained to the one that a runtime computes. Only the biases' grid changes what
/// it evaluates to, by at most half a step of the accumulator per channel.
namespace compress::quant {
namespace {

using ops::Quantization;

class Finisher {
public:
  explicit Finisher(Graph& graph) : graph_(graph) {}

  Changes run() {
    changes_ = fold_conv_batch_normalization(graph_);
    for (auto* node : nodes()) freeze(*node);
    for (auto* node : nodes()) carry_grid(*node);
    for (auto* node : nodes()) quantize_bias(*node);
    Changes unused;
    unused.removed = graph_.erase_unused_parameters();
    changes_.append(std::move(unused));
    return std::move(changes_);
  }

private:
  /// A list of its own: the loops over it insert nodes.
  std::vector<Node*> nodes() {
    std::vector<Node*> nodes;
    for (auto& node : graph_.nodes()) nodes.push_back(&node);
    return nodes;
  }

  const Node* quantizer(const Node& node, int input) const {
    if (input < 0 || !node.has_input(input)) return nullptr;
    const auto* producer = graph_.producer(node.inputs[input]);
    return producer != nullptr && producer->op == "FakeQuantize" ? producer : nullptr;
  }

  void freeze(Node& node) {
    if (node.op != "FakeQuantize" || node.attributes.text("method", "fixed") == "fixed") return;
    node.attributes.set("method", "fixed");
    node.attributes.erase("ema_decay");
    node.attributes.erase("slot");
    node.inputs.resize(3);
    ++changes_.nodes_changed;
    graph_.touch();
  }

  /// What an operator merely moved is on the grid already; runtimes want to see so on both sides of it.
  void carry_grid(Node& node) {
    if (ops::op_of(node).quantization != Quantization::same_grid) return;
    const auto* source = quantizer(node, 0);
    if (source == nullptr) return;
    for (int k = 0; k < node.outputs; ++k) {
      const auto value = node.output(k);
      const auto readers = graph_.consumers(value);
      if (readers.empty() || readers.front()->op == "FakeQuantize") continue;
      Node follower = *source;
      follower.name = graph_.unique_name(value + ".quantizer");
      follower.inputs[0] = value;
      const auto outputs = graph_.outputs;
      const auto& name = graph_.insert_after(node, std::move(follower)).name;
      graph_.replace_uses(value, name, name);
      graph_.outputs = outputs;
      ++changes_.nodes_changed;
    }
  }

  /// The sum of products has step (input scale x weight scale): a bias on that grid is added without rounding.
  void quantize_bias(Node& node) {
    const auto& op = ops::op_of(node);
    if (op.quantization != Quantization::weighted || op.bias_input < 0 || !node.has_input(op.bias_input)) return;
    const auto *input = quantizer(node, 0), *weight = quantizer(node, op.weight_input);
    const auto* bias = graph_.find_parameter(node.inputs[op.bias_input]);
    if (input == nullptr || weight == nullptr || bias == nullptr) return;
    const auto scale = graph_.parameter(input->inputs[1]).value * graph_.parameter(weight->inputs[1]).value;
    Node quantizer{.name = graph_.unique_name(bias->name + ".quantizer"), .op = "FakeQuantize", .inputs = {bias->name}};
    quantizer.inputs.push_back(add(quantizer.name + ".scale", scale));
    quantizer.inputs.push_back(add(quantizer.name + ".zero_point", scale.new_zeros(scale.sizes())));
    set_grid(quantizer.attributes, kBiasGrid);
    if (weight->attributes.has("axis")) quantizer.attributes.set("axis", int64_t{0});
    quantizer.attributes.set("method", "fixed");
    node.inputs[op.bias_input] = graph_.insert_before(node, std::move(quantizer)).name;
    changes_.nodes_changed += 2;
  }

  std::string add(const std::string& name, at::Tensor value) {
    return add_constant(graph_, name, std::move(value), changes_);
  }

  Graph& graph_;
  Changes changes_;
};

}  // namespace

Changes finish(Graph& graph) {
  return Finisher(graph).run();
}

}  // namespace compress::quant
