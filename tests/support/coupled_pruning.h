#pragma once

#include "analysis/granularity.h"
#include "core/random.h"
#include "prune/criterion.h"
#include "prune/cut.h"
#include "prune/dependency.h"
#include "prune/pruner.h"

#include <ATen/ops/tensor.h>

#include <memory>
#include <string>
#include <vector>

namespace compress::test {

/// A criterion that draws lots, by weight and seed.
class Lots final : public prune::Criterion {
public:
  at::Tensor strengths(const prune::Candidate& candidate) const override {
    Random random(candidate.moment.seed, "lots " + candidate.parameter);
    const at::Tensor& weight = candidate.graph.parameter(candidate.parameter).value;
    std::vector<float> values(static_cast<size_t>(candidate.granularity.gather(weight).size(0)));
    for (auto& value : values) value = static_cast<float>(random.uniform(0, 1));
    return at::tensor(values);
  }
};

/// The parameters that coupled pruning can be asked to prune: all of two axes or more.
inline std::vector<std::string> matrices_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Parameter& parameter : graph.parameters())
    if (parameter.trainable && parameter.value.dim() > 1) names.push_back(parameter.name);
  return names;
}

/// Prunes coupled channels by lot, of each group a share between 0 and `most`, and sets the masked weights to zero.
/// What the network should then cost.
inline prune::Measured prune_by_lot(Graph& graph, uint64_t seed, double most) {
  const auto coupled = prune::make_coupled(prune::Importance::sum);
  auto names = matrices_of(graph);
  Problems problems;
  coupled->bind(graph, names, {}, *analysis::granularities().make("filter"), problems);
  if (!problems.empty()) return coupled->measure(graph, {});
  std::vector<at::Tensor> maps;
  Random random(seed, "prune by lot");
  for (const auto& unit : coupled->units(graph, Lots(), {.seed = seed}))
    maps.push_back(prune::cut_share(unit.strengths, random.uniform(0, most)));
  const prune::Measured measured = coupled->measure(graph, maps);
  for (const auto& [name, mask] : coupled->masks(graph, maps)) prune::set_mask(graph, name, mask);
  for (const Parameter& parameter : graph.parameters()) prune::apply_mask(graph, parameter);
  return measured;
}

}  // namespace compress::test
