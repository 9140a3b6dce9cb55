#include "regularize/group_terms.h"

namespace compress::regularize {

at::Tensor GroupTerms::loss(const Graph& graph) const {
  at::Tensor sum;
  for (size_t i = 0; i < parameters().size(); ++i) {
    const auto& value = graph.parameter(parameters()[i]).value;
    const auto& regime = regimes_.of(i);
    regime.groups.check(parameters()[i], value.sizes());  // its shape may have changed meanwhile
    for (const auto& granularity : regime.groups.parts)
      sum = plus_term(sum, term(granularity->gather(value)), regime.strength);
  }
  return sum;
}

}  // namespace compress::regularize
