#include "prune/gradient_criterion.h"

namespace compress::prune {

namespace {

/// Connection sensitivity at the first mini-batch, for pruning in one shot before training (Lee, Ajanthan, Torr 2019,
/// https://arxiv.org/abs/1810.02340).
class Snip final : public GradientCriterion {
public:
  at::Tensor strengths(const Candidate& candidate) const override {
    return candidate.granularity.gather(kept(candidate)).sum(1);
  }

private:
  void learn(const std::string& name, const at::Tensor& weight, const at::Tensor& gradient) override {
    auto& sensitivity = kept(name);
    if (!sensitivity.defined()) sensitivity = weight.mul(gradient).abs_();
  }
};

}  // namespace

extern const Entry<Criterion> snip_criterion;
const Entry<Criterion> snip_criterion{"snip", "magnitude of weight times gradient at the first mini-batch",
                                      make_component<Criterion, Snip>};

}  // namespace compress::prune
