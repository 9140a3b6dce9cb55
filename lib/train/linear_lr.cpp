#include "train/lr_scheduler.h"

#include <algorithm>

namespace compress::train {

namespace {

class LinearLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.optional("start_factor", start_, "of the base rate, at first", Range{.low = 0, .high = 1, .open_low = true});
    s.optional("end_factor", end_, "of the base rate, after total_iters steps and from then on", in(0, 1));
    s.optional("total_iters", steps_, "steps from one to the other", at_least(1));
  }
  double factor(int64_t t, int64_t, double) const override {
    return start_ + (end_ - start_) * static_cast<double>(std::min(t, steps_)) / static_cast<double>(steps_);
  }

private:
  double start_ = 1.0 / 3, end_ = 1;
  int64_t steps_ = 5;
};

}  // namespace

extern const Entry<LrScheduler> linear_lr{"LinearLR", "from one factor to another in a straight line",
                                          make_component<LrScheduler, LinearLr>};

}  // namespace compress::train
