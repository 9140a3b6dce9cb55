#include "prune/distiller/valued.h"

namespace compress::prune {

namespace {

class SensitivityPruner final : public ValuedPruner {
public:
  SensitivityPruner() : ValuedPruner("sensitivities", "sensitivity", "sensitivity") {}
  void declare(Settings& settings) override {
    settings.required("sensitivities", words_,
                      "threshold in standard deviations, by parameter name or pattern; '*' for all others",
                      at_least(0));
  }
};

}  // namespace

extern const Entry<Pruner> sensitivity_pruner;
const Entry<Pruner> sensitivity_pruner{
    "SensitivityPruner", "removes the weights whose magnitude is at most a multiple of the first standard deviation",
    make_component<Pruner, SensitivityPruner>};

}  // namespace compress::prune
