#include "prune/once.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

void MeasuredOnce::apply(const Changes& changes) {
  for (const auto& [from, to] : changes.renamed)
    if (auto known = numbers_.extract(from)) {
      known.key() = to;
      numbers_.insert(std::move(known));
    }
  for (const auto& gone : changes.removed) numbers_.erase(gone);
}

nlohmann::json MeasuredOnce::save() const {
  return nlohmann::json(numbers_);
}

void MeasuredOnce::load(const nlohmann::json& state) {
  state.get_to(numbers_);
}

}  // namespace compress::prune
