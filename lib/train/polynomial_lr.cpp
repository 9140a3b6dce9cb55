#include "train/lr_scheduler.h"

#include <algorithm>
#include <cmath>

namespace compress::train {

namespace {

class PolynomialLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.optional("total_iters", steps_, "steps down to 0", at_least(1));
    s.optional("power", power_, "of the share of the steps that is left", at_least(0));
  }
  double factor(int64_t t, int64_t, double) const override {
    const double left = 1 - static_cast<double>(std::min(t, steps_)) / static_cast<double>(steps_);
    return std::pow(left, power_);
  }

private:
  int64_t steps_ = 5;
  double power_ = 1;
};

}  // namespace

extern const Entry<LrScheduler> polynomial_lr{"PolynomialLR", "down to 0 along a power of the steps that are left",
                                              make_component<LrScheduler, PolynomialLr>};

}  // namespace compress::train
