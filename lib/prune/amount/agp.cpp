#include "prune/gradual.h"
#include "prune/shares.h"

namespace compress::prune {

namespace {

class Agp final : public ShareAmount {
public:
  void declare(Settings& settings) override { gradual_.declare(settings); }
  void check(const Moment& moment) const override { gradual_.check(moment); }

private:
  double share(const Unit&, const Moment& moment) const override { return gradual_.at(moment); }

  Gradual gradual_;
};

}  // namespace

extern const Entry<Amount> agp_amount;
const Entry<Amount> agp_amount{"agp",
                               "a share that grows along a cubic curve (automated gradual pruning, Zhu & Gupta 2017)",
                               make_component<Amount, Agp>};

}  // namespace compress::prune
