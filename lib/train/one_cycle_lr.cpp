#include "train/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace compress::train {

namespace {

enum class Anneal { cosine, linear };

/// Smith and Topin, https://arxiv.org/abs/1708.07120: from max_lr / div_factor up to max_lr, and down to that first
/// rate divided by final_div_factor; with three phases back to the first rate in between. Momentum stays as it is.
class OneCycleLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("max_lr", max_lr_, "the highest learning rate", above(0));
    s.optional("total_steps", total_steps_, "steps of the cycle; absent: all of training", at_least(2));
    s.optional("pct_start", pct_start_, "share of the cycle in which the rate grows", in(0, 1));
    s.choice("anneal_strategy", anneal_, {{"cos", Anneal::cosine}, {"linear", Anneal::linear}},
             "how one rate becomes another");
    s.optional("div_factor", div_factor_, "max_lr divided by this is the first rate", above(0));
    s.optional("final_div_factor", final_div_factor_, "the first rate divided by this is the last", above(0));
    s.optional("three_phase", three_phase_, "down to the first rate as fast as up, then to the last");
    s.optional("cycle_momentum", cycle_momentum_, "only false: momentum does not follow the cycle here");
  }

  void check() const override {
    if (cycle_momentum_)
      throw request_error("OneCycleLR: momentum does not follow the cycle here").hint("leave cycle_momentum out");
    if (three_phase_ && pct_start_ > 0.5)
      throw request_error("OneCycleLR: with three_phase, pct_start is at most 0.5; it is {}", pct_start_);
  }

  double factor(int64_t t, int64_t total, double base_lr) const override {
    if (base_lr == 0) return 1;
    const auto steps = static_cast<double>(total_steps_.value_or(total));
    const double first = max_lr_ / div_factor_, last = first / final_div_factor_;
    const double top = pct_start_ * steps - 1, end = steps - 1;
    const double now = std::min(static_cast<double>(t), end);
    double lr = 0;
    if (now <= top)
      lr = between(first, max_lr_, top > 0 ? now / top : 1);
    else if (const double foot = 2 * pct_start_ * steps - 2; three_phase_ && now <= foot)
      lr = between(max_lr_, first, (now - top) / (foot - top));
    else
      lr = three_phase_ ? between(first, last, (now - foot) / (end - foot))
                        : between(max_lr_, last, (now - top) / (end - top));
    return lr / base_lr;
  }

private:
  double between(double from, double to, double share) const {
    if (anneal_ == Anneal::linear) return from + (to - from) * share;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
  }

  double max_lr_ = 0.1, pct_start_ = 0.3, div_factor_ = 25, final_div_factor_ = 1e4;
  std::optional<int64_t> total_steps_;
  Anneal anneal_ = Anneal::cosine;
  bool three_phase_ = false, cycle_momentum_ = false;
};

}  // namespace

extern const Entry<LrScheduler> one_cycle_lr{"OneCycleLR",
                                             "up to max_lr and down to almost nothing; best with `interval: batch`",
                                             make_component<LrScheduler, OneCycleLr>};

}  // namespace compress::train
