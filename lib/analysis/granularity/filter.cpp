#include "analysis/axis_structures.h"
#include "core/error.h"
#include "core/text.h"

namespace compress::analysis {

namespace {

class Filter final : public AxisStructures {
public:
  Filter() : AxisStructures(0) {}
  bool by_layer() const override { return true; }
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() < 2)
      throw request_error(
          "'{}' has no filters: its shape is {}, and filters are those of a convolution or linear layer", parameter,
          shape_text(shape));
  }
};

}  // namespace

extern const Entry<Granularity> filter_granularity;
const Entry<Granularity> filter_granularity{"filter", "one output of a convolution or linear layer: w[i, ...]",
                                            make_component<Granularity, Filter>};

}  // namespace compress::analysis
