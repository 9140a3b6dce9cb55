#include "prune/level.h"
#include "prune/ranked_structure.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class L1RankedStructureParameterPrunerAgp final : public Pruner {
public:
  void declare(Settings& settings) override {
    level_.declare(settings);
    structures_.declare(settings);
  }
  void check(const Moment& moment) const override { level_.check(moment); }
  void bind(const Graph& graph, Problems& problems) override { structures_.bind(graph, problems); }
  const std::vector<std::string>& parameters() const override { return structures_.parameters(); }
  void set_masks(Graph& graph, const Moment& moment) override {
    structures_.set_masks(graph, level_.at(moment), moment);
  }
  void apply(const Changes& changes) override { structures_.apply(changes); }
  nlohmann::json save() const override { return structures_.save(); }
  void load(const nlohmann::json& state) override { structures_.load(state); }

private:
  GradualLevel level_;
  RankedStructure structures_;
};

}  // namespace

extern const Entry<Pruner> l1_ranked_structure_parameter_pruner_agp;
const Entry<Pruner> l1_ranked_structure_parameter_pruner_agp{
    "L1RankedStructureParameterPruner_AGP",
    "removes the structures of smallest mean magnitude, more and more of them along a cubic curve (AGP)",
    make_component<Pruner, L1RankedStructureParameterPrunerAgp>};

}  // namespace compress::prune
