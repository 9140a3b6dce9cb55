#pragma once

#include "quant/insertion/grids.h"

namespace compress::quant {

/// Puts quantisers on weights, biases and constant operands of the layers that compute with quantised numbers, one on
/// each parameter whoever reads it. Throws a request error when two layers want different grids for one parameter.
Changes quantize_parameters(Graph& graph, const InsertionOptions& options);

/// Makes layers with `fpq_module` compute in that floating-point type: 16 bits by rounding what they read, 64 by
/// casting it.
Changes set_floating_types(Graph& graph, const InsertionOptions& options);

}  // namespace compress::quant
