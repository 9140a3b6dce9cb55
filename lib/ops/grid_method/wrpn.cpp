#include "ops/unit_range.h"

namespace compress::ops {

extern const GridMethod wrpn_method;
constinit const GridMethod wrpn_method{.name = "wrpn",
                                       .doc = "clips to [-1, 1], unsigned grids to [0, 1] (WRPN)",
                                       .needs_range = false,
                                       .check = check_unit_range,
                                       .forward = unit_range_forward,
                                       .settle = unit_range_settle};

}  // namespace compress::ops
