#include "train/lr_scheduler.h"

#include <cmath>

namespace compress::train {

namespace {

class ExponentialLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("gamma", gamma_, "the learning rate of each step is this times the last", at_least(0));
  }
  double factor(int64_t t, int64_t, double) const override { return std::pow(gamma_, static_cast<double>(t)); }

private:
  double gamma_ = 0.9;
};

}  // namespace

extern const Entry<LrScheduler> exponential_lr{"ExponentialLR", "times gamma every step",
                                               make_component<LrScheduler, ExponentialLr>};

}  // namespace compress::train
