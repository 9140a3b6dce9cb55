#include "ops/conv_batch_normalization.h"
#include "ops/op.h"
#include "passes/frozen_batchnorm.h"
#include "passes/pass.h"

namespace compress::passes {

int64_t freeze_batch_norms(Graph& graph, bool affine) {
  int64_t frozen = 0;
  for (auto& node : graph.nodes()) {
    const bool joined = node.op == "ConvBatchNormalization";
    if (!joined && node.op != "BatchNormalization") continue;
    node.attributes.set("frozen", int64_t{1});
    const auto gamma = joined ? static_cast<size_t>(ops::FoldedConvolution::kGamma) : size_t{1};
    if (affine)
      for (const size_t i : {gamma, gamma + 1})
        if (auto* parameter = graph.find_parameter(node.inputs[i])) parameter->trainable = false;
    ++frozen;
  }
  if (frozen > 0) graph.touch();
  return frozen;
}

namespace {

/// nnieqat's freeze_bn.
class FreezeBn final : public Pass {
public:
  void declare(Settings& s) override { s.optional("freeze_bn_affine", affine_, "gamma and beta do not learn either"); }
  bool compresses() const override { return false; }

  Changes run(Graph& graph) override { return {.nodes_changed = freeze_batch_norms(graph, affine_)}; }

private:
  bool affine_ = true;
};

}  // namespace

extern const Entry<Pass> freeze_bn{"freeze_bn",
                                   "batch-norms use their running statistics in training too, and stay as they are "
                                   "(nnieqat's)",
                                   make_component<Pass, FreezeBn>};

}  // namespace compress::passes
