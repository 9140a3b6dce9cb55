#include "train/lr_scheduler.h"

#include <algorithm>
#include <cmath>

namespace compress::train {

namespace {

class MultiStepLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("milestones", milestones_, "the steps at which the learning rate falls, ascending", at_least(0));
    s.optional("gamma", gamma_, "by this factor", at_least(0));
  }
  void check() const override {
    if (!std::ranges::is_sorted(milestones_)) throw request_error("MultiStepLR: milestones must ascend");
  }
  double factor(int64_t t, int64_t, double) const override {
    const auto passed = std::ranges::upper_bound(milestones_, t) - milestones_.begin();
    return std::pow(gamma_, static_cast<double>(passed));
  }

private:
  std::vector<int64_t> milestones_;
  double gamma_ = 0.1;
};

}  // namespace

extern const Entry<LrScheduler> multi_step_lr{"MultiStepLR", "times gamma at each milestone",
                                              make_component<LrScheduler, MultiStepLr>};

}  // namespace compress::train
