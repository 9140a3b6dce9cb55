#include "train/lr_scheduler.h"

namespace compress::train {

namespace {

class ConstantLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.optional("factor", factor_, "of the base rate, in the first steps", in(0, 1));
    s.optional("total_iters", steps_, "so many steps; then the base rate", at_least(0));
  }
  double factor(int64_t t, int64_t, double) const override { return t < steps_ ? factor_ : 1; }

private:
  double factor_ = 1.0 / 3;
  int64_t steps_ = 5;
};

}  // namespace

extern const Entry<LrScheduler> constant_lr{"ConstantLR", "a smaller rate at first, then the base rate",
                                            make_component<LrScheduler, ConstantLr>};

}  // namespace compress::train
