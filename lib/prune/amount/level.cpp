#include "prune/per_weight.h"
#include "prune/shares.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class Level final : public ShareAmount {
public:
  void declare(Settings& settings) override {
    level_.declare(settings, "level", "share of the structures to remove", half_open(0, 1));
  }
  void bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) override {
    level_.bind(graph, weights, problems);
  }
  void apply(const Changes& changes) override { level_.apply(changes); }
  train::Memory save() const override { return {.values = level_.save(), .tensors = {}}; }
  void load(const train::Memory& memory) override { level_.load(memory.values); }

private:
  double share(const Unit& unit, const Moment&) const override { return level_.of(unit.name); }

  PerWeight level_;
};

}  // namespace

extern const Entry<Amount> level_amount;
const Entry<Amount> level_amount{"level", "a fixed share of each weight's structures, exactly that many",
                                 make_component<Amount, Level>};

}  // namespace compress::prune
