#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

/// The arithmetic of quantisation: real = scale * (q - zero_point), q an integer of [low, high]. One function for
/// simulation, calibration and export, so that all stand on the same grid.
namespace compress::ops {

/// Which integers a grid has.
struct GridSpec {
  int bits = 8;
  bool is_signed = true;
  bool narrow = false;    ///< leaves out the lowest integer: -127..127, 1..255
  bool symmetric = true;  ///< zero point 0

  int64_t low() const;
  int64_t high() const;
  bool operator==(const GridSpec&) const = default;
};

/// Reads `bits`, `signed`, `narrow_range` and `symmetric` of a node. Throws a request error when bits are neither 2..16
/// nor 32 (biases).
GridSpec grid_spec(const Node& node);

/// Scale and zero point: scalars, or one entry per index of an axis.
struct Grid {
  at::Tensor scale;
  at::Tensor zero_point;  ///< integers, as floating-point numbers
};

/// The grid that covers [min, max] and 0 (always on the grid). An empty range (0 only) has scale 1.
///
/// Symmetric, signed, narrow: scale = absmax / (2^(bits-1) - 1). Symmetric, signed, full: absmax / ((2^bits - 1) / 2),
/// as Distiller's SYMMETRIC mode, which spreads the error of the missing positive integer over both ends. Symmetric,
/// unsigned: max / high; negative values are clipped. Asymmetric: scale = (max - min) / (high - low), zero point =
/// rint(low - min / scale).
Grid make_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec);

/// Smallest and largest element: of everything (axis -1), or per index of an axis.
struct ValueRange {
  at::Tensor min, max;
};
ValueRange value_range(const at::Tensor& x, int64_t axis);

/// A per-axis tensor [C] as [1,C,1,1], to go with a value of `rank` axes; scalars and axis -1 as scalars.
at::Tensor along_axis(const at::Tensor& values, int64_t axis, int64_t rank);

/// The integers clamp(rint(x / scale) + zero_point, low, high), as floating-point numbers; no gradient.
at::Tensor quantized(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis);

/// The nearest values on the grid. Gradient: straight through where x is inside the range (up to half a step beyond the
/// last integer), zero outside; none for the grid.
at::Tensor fake_quantize(const at::Tensor& x, const Grid& grid, const GridSpec& spec, int64_t axis);

/// Overwrites the two tensors, whatever their type, without touching autograd.
void write_grid(const Grid& grid, const at::Tensor& scale, const at::Tensor& zero_point);

}  // namespace compress::ops
