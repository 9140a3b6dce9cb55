#include "passes/frozen_batchnorm.h"
#include "passes/pass.h"

namespace compress::passes {

namespace {

/// nnieqat's merge_freeze_bn: what can be folded into a layer is, the other batch-norms are frozen. The dataflow
/// counts, not the order in which modules were registered, and nothing has to be repeated when training goes on.
class MergeFreezeBn final : public Pass {
public:
  Changes run(Graph& graph) override {
    auto changes = run_all(make_steps({"fold_batchnorm"}), graph);
    changes.append({.nodes_changed = freeze_batch_norms(graph, /*affine=*/true)});
    return changes;
  }
};

}  // namespace

extern const Entry<Pass> merge_freeze_bn{
    "merge_freeze_bn", "folds batch-norms into the layers before them and freezes the others (nnieqat's)",
    make_component<Pass, MergeFreezeBn>};

}  // namespace compress::passes
