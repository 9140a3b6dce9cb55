#include "prune/composition.h"
#include "prune/gradual.h"
#include "prune/make_part.h"
#include "prune/shares.h"

namespace compress::prune {

namespace {

class AutomatedGradualPruner final : public ComposedPruner {
public:
  void declare(Settings& settings) override {
    gradual_.declare(settings);
    settings.required("weights", words_, "parameters to prune, by name or pattern, each to its own level");
  }
  void check(const Moment& moment) const override { gradual_.check(moment); }

private:
  Parts assemble() const override {
    return {.criterion = make_part(criteria(), "magnitude"),
            .granularity = make_part(analysis::granularities(), "element"),
            .amount =
                make_share([gradual = gradual_](const Unit&, const Moment& moment) { return gradual.at(moment); })};
  }
  Selection select(const Graph& graph, Problems& problems) const override {
    return select_any(graph, words_, problems);
  }

  Gradual gradual_{.initial_name = "initial_sparsity", .final_name = "final_sparsity"};
  std::vector<std::string> words_;
};

}  // namespace

extern const Entry<Pruner> automated_gradual_pruner;
const Entry<Pruner> automated_gradual_pruner{
    "AutomatedGradualPruner",
    "removes single weights, more and more of them along a cubic curve (AGP, Zhu & Gupta 2017)",
    make_component<Pruner, AutomatedGradualPruner>};

}  // namespace compress::prune
