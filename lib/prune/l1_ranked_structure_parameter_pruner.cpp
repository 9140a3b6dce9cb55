#include "prune/ranked_structure.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

class L1RankedStructureParameterPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    settings.required("desired_sparsity", share_, "share of the structures to remove", half_open(0, 1));
    structures_.declare(settings);
  }
  void bind(const Graph& graph, Problems& problems) override { structures_.bind(graph, problems); }
  const std::vector<std::string>& parameters() const override { return structures_.parameters(); }
  void set_masks(Graph& graph, const Moment& moment) override { structures_.set_masks(graph, share_, moment); }
  void apply(const Changes& changes) override { structures_.apply(changes); }
  nlohmann::json save() const override { return structures_.save(); }
  void load(const nlohmann::json& state) override { structures_.load(state); }

private:
  double share_ = 0;
  RankedStructure structures_;
};

}  // namespace

extern const Entry<Pruner> l1_ranked_structure_parameter_pruner;
const Entry<Pruner> l1_ranked_structure_parameter_pruner{
    "L1RankedStructureParameterPruner", "removes the structures (filters, channels, rows) of smallest mean magnitude",
    make_component<Pruner, L1RankedStructureParameterPruner>};

}  // namespace compress::prune
