// A threshold that grows along two straight lines (Narang et al. 2017, arXiv 1704.05119), counted in epochs.
#include "prune/shares.h"

namespace compress::prune {

namespace {

class BaiduRnn final : public LimitAmount {
public:
  void declare(Settings& settings) override {
    settings.required("q", q_, "sets the scale of the threshold: a typical magnitude of the weights", above(0));
    settings.required("ramp_epoch_offset", offset_, "epochs after the first one until the threshold grows faster",
                      at_least(0));
    settings.required("ramp_slope_mult", factor_, "how many times faster it then grows", above(0));
  }
  void check(const Moment& moment) const override {
    const double span = static_cast<double>(moment.count) * moment.frequency;
    if (static_cast<double>(offset_) >= span)
      throw request_error("'ramp_epoch_offset' ({}) must lie within the policy's window of {} epochs", offset_, span);
  }

private:
  double limit(const Graph&, const Unit&, const Moment& moment) override {
    const double span = static_cast<double>(moment.count) * moment.frequency, ramp = static_cast<double>(offset_);
    const double slope = 2 * q_ * moment.frequency / (2 * ramp + 3 * (span - ramp));
    const auto now = static_cast<double>(moment.epoch - moment.first_epoch);
    if (now < ramp) return slope * (now + 1) / moment.frequency;
    return (slope * (ramp + 1) + slope * factor_ * (now - ramp + 1)) / moment.frequency;
  }

  double q_ = 0, factor_ = 1;
  int64_t offset_ = 0;
};

}  // namespace

extern const Entry<Amount> baidu_rnn_amount;
const Entry<Amount> baidu_rnn_amount{"baidu_rnn",
                                     "a threshold that grows along two straight lines (Narang et al. 2017)",
                                     make_component<Amount, BaiduRnn>};

}  // namespace compress::prune
