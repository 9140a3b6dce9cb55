#include "prune/distiller/valued.h"

namespace compress::prune {

namespace {

class MagnitudeParameterPruner final : public ValuedPruner {
public:
  MagnitudeParameterPruner() : ValuedPruner("thresholds", "threshold", "threshold") {}
  void declare(Settings& settings) override {
    settings.required("thresholds", words_,
                      "weights up to this magnitude go, by parameter name or pattern; '*' for all others", at_least(0));
  }
  void check(const Moment&) const override {
    if (!words_.contains("*"))
      throw request_error("'thresholds' lacks '*', the threshold of every parameter that is not named")
          .hint("write '*': 0 to leave them as they are");
  }
};

}  // namespace

extern const Entry<Pruner> magnitude_parameter_pruner;
const Entry<Pruner> magnitude_parameter_pruner{"MagnitudeParameterPruner",
                                               "removes the weights whose magnitude is at most a threshold",
                                               make_component<Pruner, MagnitudeParameterPruner>};

}  // namespace compress::prune
