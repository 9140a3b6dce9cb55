#include "analysis/axis_structures.h"
#include "core/error.h"
#include "core/text.h"

namespace compress::analysis {

namespace {

class Channel final : public AxisStructures {
public:
  Channel() : AxisStructures(1) {}
  bool by_layer() const override { return true; }
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() < 2)
      throw request_error(
          "'{}' has no channels: its shape is {}, and channels are those of a convolution or linear layer", parameter,
          shape_text(shape));
  }
};

}  // namespace

extern const Entry<Granularity> channel_granularity;
const Entry<Granularity> channel_granularity{
    "channel", "one input of a convolution or linear layer over all filters: w[:, i, ...]",
    make_component<Granularity, Channel>};

}  // namespace compress::analysis
