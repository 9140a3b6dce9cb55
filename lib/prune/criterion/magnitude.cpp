#include "prune/criterion.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

namespace {

class Magnitude final : public Criterion {
public:
  at::Tensor strengths(const Candidate& candidate) const override {
    const auto magnitudes =
        candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach().abs());
    return magnitudes.size(1) == 1 ? magnitudes.squeeze(1) : magnitudes.mean(1);
  }
};

}  // namespace

extern const Entry<Criterion> magnitude_criterion;
const Entry<Criterion> magnitude_criterion{"magnitude", "mean magnitude of a structure's weights",
                                           make_component<Criterion, Magnitude>};

}  // namespace compress::prune
