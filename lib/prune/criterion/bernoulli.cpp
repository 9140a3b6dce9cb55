#include "prune/random_strengths.h"

#include <ATen/ops/tensor.h>

namespace compress::prune {

namespace {

class Bernoulli final : public Criterion {
public:
  /// In (0, 1], so that threshold 0 removes nothing.
  at::Tensor strengths(const Candidate& candidate) const override {
    auto random = random_of(candidate, "pruner chance");
    std::vector<float> numbers(static_cast<size_t>(structures_of(candidate)));
    for (auto& number : numbers) number = static_cast<float>(1 - random.uniform());
    return at::tensor(numbers).to(candidate.graph.parameter(candidate.parameter).value.device());
  }
};

}  // namespace

extern const Entry<Criterion> bernoulli_criterion;
const Entry<Criterion> bernoulli_criterion{
    "bernoulli",
    "independent random numbers between 0 and 1: with threshold 0.3 each structure goes with probability 0.3",
    make_component<Criterion, Bernoulli>};

}  // namespace compress::prune
