#include "search/importance.h"

#include "analysis/axis_structures.h"

#include <ATen/core/grad_mode.h>

namespace compress::search {

namespace {

/// The outputs of a weight, on whichever axis its operator has them.
class OutputsOfWeight final : public analysis::AxisStructures {
public:
  explicit OutputsOfWeight(int axis) : AxisStructures(axis) {}
  void check(std::string_view, at::IntArrayRef) const override {}
  bool by_layer() const override { return true; }
};

}  // namespace

Importance by_criterion(std::shared_ptr<const prune::Criterion> criterion, uint64_t seed) {
  return [criterion = std::move(criterion), seed](const Graph& graph, const analysis::ParameterAxis& maker) {
    const at::NoGradGuard no_grad;
    const OutputsOfWeight outputs(maker.axis);
    const prune::Moment moment{.seed = seed};
    return criterion->strengths({graph, maker.parameter, outputs, moment});
  };
}

}  // namespace compress::search
