#include "analysis/axis_structures.h"
#include "core/error.h"
#include "core/text.h"

namespace compress::analysis {

namespace {

class Column final : public AxisStructures {
public:
  Column() : AxisStructures(1) {}
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() != 2)
      throw request_error("'{}' has no columns: its shape is {}, and columns are those of a matrix", parameter,
                          shape_text(shape));
  }
};

}  // namespace

extern const Entry<Granularity> column_granularity;
const Entry<Granularity> column_granularity{
    "column", "one column of a matrix as it is stored: w[:, j], all that one input of a linear layer feeds",
    make_component<Granularity, Column>};

}  // namespace compress::analysis
