#include "graph/select.h"
#include "prune/level.h"

#include <nlohmann/json.hpp>

namespace compress::prune {

namespace {

/// Level 0 leaves a parameter's present mask alone, as Distiller does.
class SparsityLevelParameterPruner final : public Pruner {
public:
  void declare(Settings& settings) override {
    settings.required("levels", words_, "share of weights to remove, by parameter name or pattern; '*' for all others",
                      in(0, 1));
  }
  bool set_levels(const std::map<std::string, double>& levels) override {
    words_ = levels;
    return true;
  }
  void bind(const Graph& graph, Problems& problems) override { levels_ = select_values(graph, words_, problems); }
  const std::vector<std::string>& parameters() const override { return levels_.names; }

  void set_masks(Graph& graph, const Moment&) override {
    for (size_t i = 0; i < levels_.names.size(); ++i) {
      const auto& name = levels_.names[i];
      if (levels_.values[i] > 0) set_mask(graph, name, level_mask(graph.parameter(name).value, levels_.values[i]));
    }
  }

  void apply(const Changes& changes) override { follow(levels_, changes); }
  nlohmann::json save() const override { return {{"parameters", levels_.names}, {"levels", levels_.values}}; }
  void load(const nlohmann::json& state) override {
    state.at("parameters").get_to(levels_.names);
    state.at("levels").get_to(levels_.values);
  }

private:
  std::map<std::string, double> words_;
  ParameterValues levels_;
};

}  // namespace

extern const Entry<Pruner> sparsity_level_parameter_pruner;
const Entry<Pruner> sparsity_level_parameter_pruner{"SparsityLevelParameterPruner",
                                                    "removes a fixed share of the weights, those of smallest magnitude",
                                                    make_component<Pruner, SparsityLevelParameterPruner>};

}  // namespace compress::prune
