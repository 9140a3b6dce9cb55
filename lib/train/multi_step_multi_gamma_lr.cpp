#include "train/lr_scheduler.h"

#include <algorithm>

namespace compress::train {

namespace {

/// Distiller's: a factor of its own for each milestone.
class MultiStepMultiGammaLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("milestones", milestones_, "the steps at which the learning rate changes, ascending", at_least(0));
    s.required("gammas", gammas_, "by which factor, one for each milestone", at_least(0));
  }
  void check() const override {
    if (milestones_.size() != gammas_.size())
      throw request_error("MultiStepMultiGammaLR: there are {} 'milestones', but {} 'gammas'", milestones_.size(),
                          gammas_.size());
    if (std::ranges::adjacent_find(milestones_, std::greater_equal()) != milestones_.end())
      throw request_error("MultiStepMultiGammaLR: 'milestones' must ascend");
  }
  double factor(int64_t t, int64_t, double) const override {
    double product = 1;
    for (size_t i = 0; i < milestones_.size() && milestones_[i] <= t; ++i) product *= gammas_[i];
    return product;
  }

private:
  std::vector<int64_t> milestones_;
  std::vector<double> gammas_;
};

}  // namespace

extern const Entry<LrScheduler> multi_step_multi_gamma_lr{"MultiStepMultiGammaLR",
                                                          "times another gamma at each milestone, as Distiller's",
                                                          make_component<LrScheduler, MultiStepMultiGammaLr>};

}  // namespace compress::train
