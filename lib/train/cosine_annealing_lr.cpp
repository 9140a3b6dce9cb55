#include "train/lr_scheduler.h"

#include <cmath>
#include <numbers>

namespace compress::train {

namespace {

/// eta_min + (lr - eta_min) (1 + cos(pi t / T_max)) / 2, from Loshchilov and Hutter, https://arxiv.org/abs/1608.03983,
/// without restarts.
class CosineAnnealingLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.optional("T_max", t_max_, "steps down to eta_min; absent: all of training", at_least(1));
    s.optional("eta_min", eta_min_, "the lowest learning rate", at_least(0));
  }
  double factor(int64_t t, int64_t total, double base_lr) const override {
    if (base_lr == 0) return 1;
    const auto period = static_cast<double>(std::max<int64_t>(1, t_max_.value_or(total)));
    const double share = (1 + std::cos(std::numbers::pi * static_cast<double>(t) / period)) / 2;
    return (eta_min_ + (base_lr - eta_min_) * share) / base_lr;
  }

private:
  std::optional<int64_t> t_max_;
  double eta_min_ = 0;
};

}  // namespace

extern const Entry<LrScheduler> cosine_annealing_lr{"CosineAnnealingLR", "half a cosine wave down to eta_min",
                                                    make_component<LrScheduler, CosineAnnealingLr>};

}  // namespace compress::train
