#include "regularize/parameter_terms.h"

#include <nlohmann/json.hpp>

namespace compress::regularize {

at::Tensor ParameterTerms::loss(const Graph& graph) const {
  at::Tensor sum;
  for (size_t i = 0; i < strengths_.names.size(); ++i)
    sum = plus_term(sum, term(graph.parameter(strengths_.names[i]).value), strengths_.values[i]);
  return sum;
}

train::Memory ParameterTerms::save() const {
  return {.values = {{"parameters", strengths_.names}, {"strengths", strengths_.values}}, .tensors = {}};
}

void ParameterTerms::load(const train::Memory& memory) {
  memory.values.at("parameters").get_to(strengths_.names);
  memory.values.at("strengths").get_to(strengths_.values);
}

}  // namespace compress::regularize
