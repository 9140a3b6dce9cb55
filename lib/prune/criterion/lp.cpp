#include "prune/norm.h"

namespace compress::prune {

namespace {

class Lp final : public Norm {
public:
  void declare(Settings& settings) override {
    settings.required("p", p_, "order of the norm", above(0));
    Norm::declare(settings);
  }
};

}  // namespace

extern const Entry<Criterion> lp_criterion;
const Entry<Criterion> lp_criterion{"lp", "p-norm of a structure", make_component<Criterion, Lp>};

}  // namespace compress::prune
