#include "prune/distiller/ranked.h"
#include "prune/make_part.h"

namespace compress::prune {

namespace {

class LpRankedStructureParameterPruner final : public RankedPruner {
public:
  LpRankedStructureParameterPruner() : RankedPruner({.criterion = "lp"}) {}
  void declare(Settings& settings) override {
    RankedPruner::declare(settings);
    settings.required("p", p_, "order of the norm", above(0));
  }

private:
  std::unique_ptr<Criterion> criterion() const override {
    auto copy = p_;
    Settings arguments;
    arguments.required("p", copy, "");
    return make_part(criteria(), "lp", arguments.print());
  }

  double p_ = 1;
};

}  // namespace

extern const Entry<Pruner> lp_ranked_structure_parameter_pruner;
const Entry<Pruner> lp_ranked_structure_parameter_pruner{"LpRankedStructureParameterPruner",
                                                         "removes the structures of smallest p-norm",
                                                         make_component<Pruner, LpRankedStructureParameterPruner>};

}  // namespace compress::prune
