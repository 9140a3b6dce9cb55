#include "analysis/structure_norm.h"
#include "regularize/group_terms.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

namespace compress::regularize {

namespace {

/// lambda * sum over the groups of their L2 norms, which drives whole groups to zero. With a criterion, groups whose
/// norm of that kind is up to lambda are zeroed after each mini-batch.
class GroupLassoRegularizer final : public GroupTerms {
public:
  void declare(Settings& settings) override {
    GroupTerms::declare(settings);
    settings.choice("threshold_criteria", criterion_,
                    {{"None", Criterion::none}, {"Max", Criterion::maximum}, {"Mean_Abs", Criterion::mean_abs}},
                    "zero groups whose largest or mean magnitude is up to lambda after each mini-batch");
    settings.optional(
        "sqrt_size", sqrt_size_,
        "multiply each norm by the root of the group's size, so that large groups count as much as small");
  }

  std::map<std::string, at::Tensor> threshold_masks(const Graph& graph) const override {
    std::map<std::string, at::Tensor> masks;
    if (!thresholds()) return masks;
    const at::NoGradGuard no_grad;
    const auto norm = criterion_ == Criterion::maximum ? analysis::Norm::maximum : analysis::Norm::mean_l1;
    for (size_t i = 0; i < parameters().size(); ++i) {
      const auto& value = graph.parameter(parameters()[i]).value;
      auto& mask = masks[parameters()[i]];
      for (const auto& granularity : regimes_.of(i).groups.parts) {
        const auto own = analysis::threshold_mask(value, *granularity, norm, regimes_.of(i).strength);
        mask = mask.defined() ? mask.mul(own) : own;
      }
    }
    return masks;
  }
  bool thresholds() const override { return criterion_ != Criterion::none; }

protected:
  at::Tensor term(const at::Tensor& groups) const override {
    const auto sum = analysis::structure_norms(groups, analysis::Norm::l2).sum();
    return sqrt_size_ ? sum.mul(std::sqrt(static_cast<double>(groups.size(1)))) : sum;
  }

private:
  enum class Criterion { none, maximum, mean_abs };
  Criterion criterion_ = Criterion::none;
  bool sqrt_size_ = false;
};

}  // namespace

extern const Entry<Regularizer> group_lasso_regularizer;
const Entry<Regularizer> group_lasso_regularizer{
    "GroupLassoRegularizer", "adds lambda times the L2 norms of groups of weights to the loss: whole groups go to zero",
    make_component<Regularizer, GroupLassoRegularizer>};

}  // namespace compress::regularize
