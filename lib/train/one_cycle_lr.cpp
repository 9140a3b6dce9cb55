#include "train/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace compress::train {

namespace {

enum class Anneal { cosine, linear };

/// Smith and Topin, https://arxiv.org/abs/1708.07120: from max_lr / div_factor up to max_lr, and down to that first
/// rate divided by final_div_factor; with three phases back to the first rate in between. Momentum goes the other way.
class OneCycleLr final : public LrScheduler {
public:
  void declare(Settings& s) override {
    s.required("max_lr", max_lr_, "the highest learning rate", above(0));
    s.optional("total_steps", total_steps_, "steps of the cycle; absent: all of training", at_least(2));
    s.optional("pct_start", pct_start_, "share of the cycle in which the rate grows", in(0, 1));
    s.choice("anneal_strategy", anneal_, {{"cos", Anneal::cosine}, {"linear", Anneal::linear}},
             "how one rate becomes another");
    s.optional("cycle_momentum", cycle_momentum_,
               "momentum (Adam: the first of its betas) falls as the rate grows, and grows as it falls");
    s.optional("base_momentum", base_momentum_, "the lowest momentum of the cycle", half_open(0, 1));
    s.optional("max_momentum", max_momentum_, "the highest momentum of the cycle", half_open(0, 1));
    s.optional("div_factor", div_factor_, "max_lr divided by this is the first rate", above(0));
    s.optional("final_div_factor", final_div_factor_, "the first rate divided by this is the last", above(0));
    s.optional("three_phase", three_phase_, "down to the first rate as fast as up, then to the last");
  }

  void check() const override {
    if (cycle_momentum_ && base_momentum_ > max_momentum_)
      throw request_error("OneCycleLR: 'base_momentum' ({}) is above 'max_momentum' ({})", base_momentum_,
                          max_momentum_);
    if (three_phase_ && pct_start_ > 0.5)
      throw request_error("OneCycleLR: with three_phase, pct_start is at most 0.5; it is {}", pct_start_);
  }

  double factor(int64_t t, int64_t total, double base_lr) const override {
    if (base_lr == 0) return 1;
    const double first = max_lr_ / div_factor_;
    return at({first, max_lr_, first, first / final_div_factor_}, t, total) / base_lr;
  }

  std::optional<double> momentum(int64_t t, int64_t total) const override {
    if (!cycle_momentum_) return {};
    return at({max_momentum_, base_momentum_, max_momentum_, max_momentum_}, t, total);
  }

private:
  /// The cycle goes from `first` to `turn` and then to `last`; in three phases by way of `back`.
  struct Corners {
    double first, turn, back, last;
  };

  double at(const Corners& corners, int64_t t, int64_t total) const {
    const auto steps = static_cast<double>(total_steps_.value_or(total));
    const double top = pct_start_ * steps - 1, end = steps - 1;
    const double now = std::min(static_cast<double>(t), end);
    if (now <= top) return between(corners.first, corners.turn, top > 0 ? now / top : 1);
    const double foot = 2 * pct_start_ * steps - 2;
    if (three_phase_ && now <= foot) return between(corners.turn, corners.back, (now - top) / (foot - top));
    return three_phase_ ? between(corners.back, corners.last, (now - foot) / (end - foot))
                        : between(corners.turn, corners.last, (now - top) / (end - top));
  }

  double between(double from, double to, double share) const {
    if (anneal_ == Anneal::linear) return from + (to - from) * share;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
  }

  double max_lr_ = 0.1, pct_start_ = 0.3, div_factor_ = 25, final_div_factor_ = 1e4;
  double base_momentum_ = 0.85, max_momentum_ = 0.95;
  std::optional<int64_t> total_steps_;
  Anneal anneal_ = Anneal::cosine;
  bool three_phase_ = false, cycle_momentum_ = true;
};

}  // namespace

extern const Entry<LrScheduler> one_cycle_lr{"OneCycleLR",
                                             "up to max_lr and down to almost nothing; best with `interval: batch`",
                                             make_component<LrScheduler, OneCycleLr>};

}  // namespace compress::train
