#include "train/lr_scheduler.h"

#include <cmath>

namespace compress::train {

namespace {

class StepLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("step_size", step_size_, "the learning rate falls every so many steps", at_least(1));
    s.optional("gamma", gamma_, "by this factor", at_least(0));
  }
  double factor(int64_t t, int64_t, double) const override {
    return std::pow(gamma_, static_cast<double>(t / step_size_));
  }

private:
  int64_t step_size_ = 1;
  double gamma_ = 0.1;
};

}  // namespace

extern const Entry<LrScheduler> step_lr{"StepLR", "times gamma every step_size steps",
                                        make_component<LrScheduler, StepLr>};

}  // namespace compress::train
