#include "prune/activation_criterion.h"

namespace compress::prune {

namespace {

class MeanActivation final : public ActivationCriterion {
private:
  at::Tensor strengths_of(const analysis::ChannelActivations& channels) const override { return channels.mean; }
};

}  // namespace

extern const Entry<Criterion> mean_activation_criterion;
const Entry<Criterion> mean_activation_criterion{"mean_activation", "mean activation of a filter",
                                                 make_component<Criterion, MeanActivation>};

}  // namespace compress::prune
