#include "prune/norm.h"

namespace compress::prune {

namespace {

class L2 final : public Norm {
public:
  L2() : Norm(2) {}
};

}  // namespace

extern const Entry<Criterion> l2_criterion;
const Entry<Criterion> l2_criterion{"l2", "Euclidean norm of a structure", make_component<Criterion, L2>};

}  // namespace compress::prune
