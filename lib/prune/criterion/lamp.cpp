// Lee et al. 2021, arXiv 2010.07611: a square over the sum of all squares that are not smaller. The scores of different
// layers can be compared, which makes a global amount choose good levels for each layer.
#include "prune/criterion.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include <limits>

namespace compress::prune {

namespace {

class Lamp final : public Criterion {
public:
  at::Tensor strengths(const Candidate& candidate) const override {
    const auto squares =
        candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach()).square().sum(1);
    const auto order = squares.argsort(/*stable=*/true, /*dim=*/0);
    const auto sorted = squares.index_select(0, order).to(at::kDouble);
    const auto not_smaller = sorted.flip(0).cumsum(0).flip(0).clamp_min(std::numeric_limits<double>::min());
    auto scores = at::empty_like(squares, at::kFloat);
    scores.index_copy_(0, order, sorted.div(not_smaller).to(at::kFloat));
    return scores;
  }
};

}  // namespace

extern const Entry<Criterion> lamp_criterion;
const Entry<Criterion> lamp_criterion{
    "lamp", "square over the sum of the squares that are not smaller, which compares across layers (Lee et al. 2021)",
    make_component<Criterion, Lamp>};

}  // namespace compress::prune
