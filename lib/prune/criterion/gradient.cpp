#include "prune/gradient_criterion.h"

namespace compress::prune {

namespace {

/// To first order, removing a structure changes the loss by minus this sum (Distiller's GradientRankedFilterPruner).
class Gradient final : public GradientCriterion {
public:
  at::Tensor strengths(const Candidate& candidate) const override {
    const auto& weight = candidate.graph.parameter(candidate.parameter).value;
    const auto product = weight.detach().mul(kept(candidate));
    return behind_all_others(candidate.granularity.gather(product).sum(1), candidate);
  }

private:
  void learn(const std::string& name, const at::Tensor&, const at::Tensor& gradient) override { kept(name) = gradient; }
};

}  // namespace

extern const Entry<Criterion> gradient_criterion;
const Entry<Criterion> gradient_criterion{"gradient",
                                          "sum of weight times gradient, the gradient of the last mini-batch",
                                          make_component<Criterion, Gradient>};

}  // namespace compress::prune
