#include "prune/gradient_criterion.h"

namespace compress::prune {

namespace {

/// Weights that training moves away from zero are strong, those that it moves towards zero weak, whatever their size
/// (Sanh, Wolf, Rush 2020, https://arxiv.org/abs/2005.07683). With use_double_copies and mask_on_forward_only removed
/// weights go on moving and may come back, as in the paper.
class Movement final : public GradientCriterion {
public:
  void declare(Settings& settings) override {
    settings.optional("steps", steps_, "mini-batches to observe before the first masks", at_least(1));
  }
  at::Tensor strengths(const Candidate& candidate) const override {
    return behind_all_others(candidate.granularity.gather(kept(candidate)).sum(1), candidate);
  }

private:
  void learn(const std::string& name, const at::Tensor& weight, const at::Tensor& gradient) override {
    auto& sum = kept(name);
    sum = sum.defined() ? sum.to(weight.device()).addcmul_(weight, gradient, -1) : weight.mul(gradient).neg_();
  }
  int64_t needed() const override { return steps_; }

  int64_t steps_ = 1;
};

}  // namespace

extern const Entry<Criterion> movement_criterion;
const Entry<Criterion> movement_criterion{"movement",
                                          "how far training moves weights away from zero: -sum of weight * gradient",
                                          make_component<Criterion, Movement>};

}  // namespace compress::prune
