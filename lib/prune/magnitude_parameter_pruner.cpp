#include "prune/valued_pruner.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

namespace {

class MagnitudeParameterPruner final : public ValuedPruner {
public:
  MagnitudeParameterPruner() : ValuedPruner("thresholds") {}
  void declare(Settings& settings) override {
    settings.required("thresholds", words_,
                      "weights up to this magnitude go, by parameter name or pattern; '*' for all others", at_least(0));
  }
  void check(const Moment&) const override {
    if (!words_.contains("*"))
      throw request_error("'thresholds' lacks '*', the threshold of every parameter that is not named")
          .hint("write '*': 0 to leave them as they are");
  }
  void set_masks(Graph& graph, const Moment&) override {
    for (size_t i = 0; i < values_.names.size(); ++i) {
      const auto& name = values_.names[i];
      set_mask(graph, name, graph.parameter(name).value.detach().abs().gt(values_.values[i]));
    }
  }
};

}  // namespace

extern const Entry<Pruner> magnitude_parameter_pruner;
const Entry<Pruner> magnitude_parameter_pruner{"MagnitudeParameterPruner",
                                               "removes the weights whose magnitude is at most a threshold",
                                               make_component<Pruner, MagnitudeParameterPruner>};

}  // namespace compress::prune
