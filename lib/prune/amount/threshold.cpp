#include "prune/per_weight.h"
#include "prune/shares.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class Threshold final : public LimitAmount {
public:
  void declare(Settings& settings) override {
    threshold_.declare(settings, "threshold", "what is not stronger than this goes", at_least(0));
  }
  void bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) override {
    threshold_.bind(graph, weights, problems);
  }
  void apply(const Changes& changes) override { threshold_.apply(changes); }
  train::Memory save() const override { return {.values = threshold_.save(), .tensors = {}}; }
  void load(const train::Memory& memory) override { threshold_.load(memory.values); }

private:
  double limit(const Graph&, const Unit& unit, const Moment&) override { return threshold_.of(unit.name); }

  PerWeight threshold_;
};

}  // namespace

extern const Entry<Amount> threshold_amount;
const Entry<Amount> threshold_amount{"threshold", "whatever the criterion finds no stronger than a number",
                                     make_component<Amount, Threshold>};

}  // namespace compress::prune
