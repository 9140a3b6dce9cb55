#include "analysis/axis_structures.h"
#include "core/error.h"
#include "core/text.h"

namespace compress::analysis {

namespace {

class Row final : public AxisStructures {
public:
  Row() : AxisStructures(0) {}
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() != 2)
      throw request_error("'{}' has no rows: its shape is {}, and rows are those of a matrix", parameter,
                          shape_text(shape));
  }
};

}  // namespace

extern const Entry<Granularity> row_granularity;
const Entry<Granularity> row_granularity{
    "row", "one row of a matrix as it is stored: w[i, :], all that makes one output of a linear layer",
    make_component<Granularity, Row>};

}  // namespace compress::analysis
