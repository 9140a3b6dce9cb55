#include "prune/level.h"
#include "prune/valued_pruner.h"

namespace compress::prune {

namespace {

/// Level 0 leaves a parameter's present mask alone, as Distiller does.
class SparsityLevelParameterPruner final : public ValuedPruner {
public:
  SparsityLevelParameterPruner() : ValuedPruner("levels") {}
  void declare(Settings& settings) override {
    settings.required("levels", words_, "share of weights to remove, by parameter name or pattern; '*' for all others",
                      in(0, 1));
  }
  bool set_levels(const std::map<std::string, double>& levels) override {
    words_ = levels;
    return true;
  }

  void set_masks(Graph& graph, const Moment&) override {
    for (size_t i = 0; i < values_.names.size(); ++i) {
      const auto& name = values_.names[i];
      if (values_.values[i] > 0) set_mask(graph, name, level_mask(graph.parameter(name).value, values_.values[i]));
    }
  }
};

}  // namespace

extern const Entry<Pruner> sparsity_level_parameter_pruner;
const Entry<Pruner> sparsity_level_parameter_pruner{"SparsityLevelParameterPruner",
                                                    "removes a fixed share of the weights, those of smallest magnitude",
                                                    make_component<Pruner, SparsityLevelParameterPruner>};

}  // namespace compress::prune
