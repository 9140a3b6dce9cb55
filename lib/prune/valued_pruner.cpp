#include "prune/valued_pruner.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

void ValuedPruner::bind(const Graph& graph, Problems& problems) {
  values_ = select_values(graph, words_, problems);
}

void ValuedPruner::apply(const Changes& changes) {
  follow(values_, changes);
}

nlohmann::json ValuedPruner::save() const {
  return {{"parameters", values_.names}, {word_, values_.values}};
}

void ValuedPruner::load(const nlohmann::json& state) {
  state.at("parameters").get_to(values_.names);
  state.at(word_).get_to(values_.values);
}

}  // namespace compress::prune
