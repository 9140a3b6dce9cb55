#include "analysis/structure_norm.h"
#include "core/error.h"
#include "regularize/group_terms.h"

namespace compress::regularize {

namespace {

/// Keeps the loss finite where all groups are equally strong.
constexpr double kSmallest = 1e-8;

/// lambda / variance of the groups' L2 norms: pulls strong and weak groups apart. Torfi et al. 2018, Attention-Based
/// Guided Structured Sparsity of Deep Neural Networks.
class GroupVarianceRegularizer final : public GroupTerms {
public:
  void bind(const Graph& graph, Problems& problems) override {
    GroupTerms::bind(graph, problems);
    if (!problems.empty()) return;
    for (size_t i = 0; i < parameters().size(); ++i)
      for (const auto& granularity : regimes_.of(i).groups.parts)
        if (granularity->gather(graph.parameter(parameters()[i]).value).size(0) < 2)
          problems.add(request_error("'{}' is one group, and one group has no variance", parameters()[i])
                           .hint("leave it out, or take smaller groups"));
  }

protected:
  at::Tensor term(const at::Tensor& groups) const override {
    return analysis::structure_norms(groups, analysis::Norm::l2).var().add(kSmallest).reciprocal();
  }
};

}  // namespace

extern const Entry<Regularizer> group_variance_regularizer;
const Entry<Regularizer> group_variance_regularizer{
    "GroupVarianceRegularizer",
    "adds lambda divided by the variance of the groups' L2 norms to the loss: strong and weak groups drift apart",
    make_component<Regularizer, GroupVarianceRegularizer>};

}  // namespace compress::regularize
