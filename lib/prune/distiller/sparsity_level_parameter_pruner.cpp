#include "prune/distiller/valued.h"

namespace compress::prune {

namespace {

class SparsityLevelParameterPruner final : public ValuedPruner {
public:
  SparsityLevelParameterPruner() : ValuedPruner("levels", "level", "level") {}
  void declare(Settings& settings) override {
    settings.required(
        "levels", words_,
        "share of weights to remove, by parameter name or pattern; '*' for all others; 0 leaves them alone",
        half_open(0, 1));
  }
  bool set_levels(const std::map<std::string, double>& levels) override {
    words_ = levels;
    return true;
  }
};

}  // namespace

extern const Entry<Pruner> sparsity_level_parameter_pruner;
const Entry<Pruner> sparsity_level_parameter_pruner{"SparsityLevelParameterPruner",
                                                    "removes a fixed share of the weights, those of smallest magnitude",
                                                    make_component<Pruner, SparsityLevelParameterPruner>};

}  // namespace compress::prune
