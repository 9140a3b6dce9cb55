#include "prune/norm.h"

namespace compress::prune {

namespace {

class L1 final : public Norm {
public:
  L1() : Norm(1) {}
};

}  // namespace

extern const Entry<Criterion> l1_criterion;
const Entry<Criterion> l1_criterion{"l1", "sum of a structure's magnitudes", make_component<Criterion, L1>};

}  // namespace compress::prune
