#include "prune/shares.h"

namespace compress::prune {

namespace {

class RandomLevel final : public ShareAmount {
public:
  void declare(Settings& settings) override {
    settings.required("low", low_, "smallest share to remove", half_open(0, 1));
    settings.required("high", high_, "largest share to remove", half_open(0, 1));
  }
  void check(const Moment&) const override {
    if (low_ > high_) throw request_error("'high' ({}) must not be below 'low' ({})", high_, low_);
  }

private:
  double share(const Unit& unit, const Moment& moment) const override { return drawn_share(unit, moment, low_, high_); }

  double low_ = 0, high_ = 0;
};

}  // namespace

extern const Entry<Amount> random_level_amount;
const Entry<Amount> random_level_amount{"random_level", "a share drawn at random for each weight and mask",
                                        make_component<Amount, RandomLevel>};

}  // namespace compress::prune
