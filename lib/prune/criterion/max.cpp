#include "prune/norm.h"

#include <limits>

namespace compress::prune {

namespace {

class Max final : public Norm {
public:
  Max() : Norm(std::numeric_limits<double>::infinity()) {}
  void declare(Settings&) override {}
};

}  // namespace

extern const Entry<Criterion> max_criterion;
const Entry<Criterion> max_criterion{"max", "largest magnitude in a structure", make_component<Criterion, Max>};

}  // namespace compress::prune
