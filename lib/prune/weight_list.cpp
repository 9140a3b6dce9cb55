#include "prune/weight_list.h"

#include "graph/select.h"
#include "prune/selection.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

void WeightList::declare(Settings& settings) {
  settings.optional(
      "weights", words_,
      "parameters to prune, by name or pattern; none: the weights of all convolutional and linear layers");
}

void WeightList::bind(const Graph& graph, Problems& problems) {
  names_ = select_weights(graph, words_, problems).names;
}

void WeightList::apply(const Changes& changes) {
  follow(names_, changes);
}

nlohmann::json WeightList::save() const {
  return names_;
}

void WeightList::load(const nlohmann::json& saved) {
  saved.get_to(names_);
}

}  // namespace compress::prune
