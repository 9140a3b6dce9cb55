#include "core/log.h"
#include "graph/match.h"
#include "ops/op.h"
#include "passes/pass.h"

#include <ATen/TensorOperators.h>

namespace compress::passes {

namespace {

/// y = gamma * (W x + b - mean) / sigma + beta  =  (s W) x + (s (b - mean) + beta), with s = gamma / sigma.
class FoldBatchnorm final : public Pass {
public:
  Changes run(Graph& graph) override {
    static const Pattern pattern("layer = Conv|Gemm($x, %w, %b?)\n"
                                 "bn = BatchNormalization(layer, %gamma, %beta, %mean, %var)");
    Changes changes;
    for (const auto& match : pattern.find(graph))
      if (can_fold(graph, match)) fold(graph, match, changes);
    for (auto& name : graph.erase_unused_parameters()) changes.removed.push_back(std::move(name));
    return changes;
  }

private:
  static bool can_fold(Graph& graph, const Pattern::Match& match) {
    const Node& layer = match.node("layer");
    const auto shared = [&](const std::string& name) { return graph.consumers(name).size() > 1; };
    if (shared(match.value("w")) || (!match.value("b").empty() && shared(match.value("b")))) {
      log::info("[fold_batchnorm] {}: kept, its weight or bias is shared with another node", match.node("bn").name);
      return false;
    }
    return match.node("bn").outputs == 1 && layer.attributes.number("alpha", 1) == 1 &&
           layer.attributes.number("beta", 1) == 1;
  }

  static void fold(Graph& graph, const Pattern::Match& match, Changes& changes) {
    Node &layer = match.node("layer"), &bn = match.node("bn");
    const auto tensor = [&](const char* name) { return graph.parameter(match.value(name)).value.detach(); };
    const at::Tensor weight = tensor("w"), mean = tensor("mean");
    const at::Tensor scale = tensor("gamma") / (tensor("var") + bn.attributes.number("epsilon", 1e-5)).sqrt();
    std::vector<int64_t> along_outputs(static_cast<size_t>(weight.dim()), 1);
    along_outputs[static_cast<size_t>(ops::op_of(layer).weight_axis(layer))] = -1;
    graph.assign(match.value("w"), weight * scale.reshape(along_outputs));
    const std::string& bias_name = match.value("b");
    const at::Tensor bias = bias_name.empty() ? mean.neg() : tensor("b") - mean;
    set_bias(graph, layer, bias_name, bias * scale + tensor("beta"), changes);
    graph.replace_uses(bn.name, layer.name);
    graph.erase(bn.name);
    changes.nodes_changed += 2;
  }

  static void set_bias(Graph& graph, Node& layer, const std::string& name, at::Tensor value, Changes& changes) {
    if (!name.empty()) {
      graph.parameter(name).mask = at::Tensor();  // a masked bias was zero before the batch-norm, not behind it
      graph.assign(name, std::move(value));
      return;
    }
    std::string stem = layer.inputs[1];
    if (stem.ends_with(".weight")) stem.resize(stem.size() - std::string_view(".weight").size());
    const auto& bias = graph.add_parameter({.name = graph.unique_name(stem + ".bias"), .value = std::move(value)});
    layer.inputs.resize(3);
    layer.inputs[2] = bias.name;
    graph.touch();
    changes.added.push_back(bias.name);
  }
};

}  // namespace

extern const Entry<Pass> fold_batchnorm{"fold_batchnorm",
                                        "folds each batch-norm into the convolution or linear layer before it",
                                        make_component<Pass, FoldBatchnorm>};

}  // namespace compress::passes
