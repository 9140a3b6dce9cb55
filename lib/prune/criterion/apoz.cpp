#include "prune/activation_criterion.h"

#include <ATen/TensorOperators.h>

namespace compress::prune {

namespace {

/// Filters whose activations are zero most often go first (Hu, Peng, Tai, Tang 2016, https://arxiv.org/abs/1607.03250).
class Apoz final : public ActivationCriterion {
private:
  at::Tensor strengths_of(const analysis::ChannelActivations& channels) const override { return 100 - channels.apoz; }
  bool needs_zeros() const override { return true; }
};

}  // namespace

extern const Entry<Criterion> apoz_criterion;
const Entry<Criterion> apoz_criterion{"apoz", "share of a filter's activations that are not zero (100 % - APoZ)",
                                      make_component<Criterion, Apoz>};

}  // namespace compress::prune
