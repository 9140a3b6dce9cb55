#include "ops/grid_method.h"

namespace compress::ops {

namespace {

at::Tensor minmax_forward(const MethodCall& call) {
  const auto grid = call.stored();
  if (call.mode == Mode::train) {
    const auto range = value_range(call.value(), call.axes);
    write_grid(make_grid(range.min, range.max, call.spec), grid.scale, grid.zero_point);
  }
  return fake_quantize(call.value(), grid, call.spec, call.axes);
}

}  // namespace

extern const GridMethod minmax_method;
constinit const GridMethod minmax_method{.name = "minmax",
                                         .doc = "each training step takes the grid from the value's own extremes",
                                         .by_extremes = true,
                                         .forward = minmax_forward,
                                         .settle = settle_stored};

}  // namespace compress::ops
