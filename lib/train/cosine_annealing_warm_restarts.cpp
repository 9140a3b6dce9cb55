#include "train/lr_scheduler.h"

#include <cmath>
#include <numbers>

namespace compress::train {

namespace {

/// Loshchilov and Hutter, https://arxiv.org/abs/1608.03983: a cosine from the base rate down to eta_min, again and
/// again, each period T_mult times the last.
class CosineAnnealingWarmRestarts final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("T_0", first_period_, "steps until the first restart", at_least(1));
    s.optional("T_mult", growth_, "each period is this times as long as the last", at_least(1));
    s.optional("eta_min", eta_min_, "the lowest learning rate", at_least(0));
  }
  double factor(int64_t t, int64_t, double base_lr) const override {
    if (base_lr == 0) return 1;
    int64_t period = first_period_;
    if (growth_ == 1) t %= period;
    while (t >= period) {
      t -= period;
      period *= growth_;
    }
    const double share = (1 + std::cos(std::numbers::pi * static_cast<double>(t) / static_cast<double>(period))) / 2;
    return (eta_min_ + (base_lr - eta_min_) * share) / base_lr;
  }

private:
  int64_t first_period_ = 10, growth_ = 1;
  double eta_min_ = 0;
};

}  // namespace

extern const Entry<LrScheduler> cosine_annealing_warm_restarts{
    "CosineAnnealingWarmRestarts", "half cosine waves that start again and again",
    make_component<LrScheduler, CosineAnnealingWarmRestarts>};

}  // namespace compress::train
