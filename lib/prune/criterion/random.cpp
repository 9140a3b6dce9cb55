#include "prune/random_strengths.h"

#include <ATen/ops/tensor.h>

namespace compress::prune {

namespace {

class RandomOrder final : public Criterion {
public:
  at::Tensor strengths(const Candidate& candidate) const override {
    const auto order = permutation(structures_of(candidate), random_of(candidate, "pruner order"));
    return at::tensor(order, at::kLong).to(candidate.graph.parameter(candidate.parameter).value.device(), at::kFloat);
  }
};

}  // namespace

extern const Entry<Criterion> random_criterion;
const Entry<Criterion> random_criterion{"random", "a random order, drawn anew for every mask: what others must beat",
                                        make_component<Criterion, RandomOrder>};

}  // namespace compress::prune
