#include "ops/op.h"
#include "quant/export/absorb_batch_normalization.h"
#include "quant/export/accumulators.h"
#include "quant/export/settle.h"
#include "quant/quantizer.h"
#include "quant/training/conv_batch_normalization.h"

#include <vector>

/// From the graph that was calibrated or trained to the one that a runtime computes. What it evaluates to changes by
/// the biases' grid, by at most half a step of the accumulator per channel, and by what `accumulator_bits` and
/// `multiplier_bits` ask for.
namespace compress::quant {
namespace {

using ops::Quantization;

class Finisher {
public:
  explicit Finisher(Graph& graph) : graph_(graph) {}

  Changes run() {
    changes_ = fold_conv_batch_normalization(graph_);
    for (auto* node : nodes())
      if (node->op == "FakeQuantize") settle(graph_, *node, changes_);
    changes_.append(absorb_batch_normalization(graph_));
    carry_grids();
    quantize_biases(graph_, changes_);
    approximate_multipliers(graph_, changes_);
    narrow_accumulators(graph_, changes_);
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

  /// The one fixed grid that all numbers an operator reads are on; null: there is none.
  const Node* grid_of_inputs(const Node& node, const ops::Infos& infos) const {
    const Node* source = nullptr;
    for (const auto& input : node.inputs) {
      const auto* producer = input.empty() ? nullptr : graph_.producer(input);
      if (producer == nullptr || producer->op != "FakeQuantize") {
        if (is_floating(input, infos)) return nullptr;
        continue;
      }
      if (producer->attributes.text("method", "fixed") != "fixed") return nullptr;
      if (source == nullptr) source = producer;
      if (producer->inputs[1] != source->inputs[1] || producer->inputs[2] != source->inputs[2]) return nullptr;
    }
    return source;
  }

  static bool is_floating(const std::string& value, const ops::Infos& infos) {
    const auto* info = value.empty() ? nullptr : infos.find(value);
    return info != nullptr && at::isFloatingType(info->type);
  }

  void carry_grids() {
    const auto infos = ops::infer(graph_);
    for (auto* node : nodes()) carry_grid(*node, infos);
  }

  /// What an operator merely moved is on the grid already; runtimes want to see so on both sides of it.
  void carry_grid(Node& node, const ops::Infos& infos) {
    if (ops::op_of(node).quantization != Quantization::same_grid) return;
    const auto* source = grid_of_inputs(node, infos);
    if (source == nullptr || source->attributes.integer("axis", -1) >= 0 || is_accumulator(*source)) return;
    for (int k = 0; k < node.outputs; ++k) {
      const auto value = node.output(k);
      const auto readers = graph_.consumers(value);
      if (!is_floating(value, infos) || readers.empty() || readers.front()->op == "FakeQuantize") continue;
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

  Graph& graph_;
  Changes changes_;
};

}  // namespace

Changes finish(Graph& graph) {
  return Finisher(graph).run();
}

}  // namespace compress::quant
