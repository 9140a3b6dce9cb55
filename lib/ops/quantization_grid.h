#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

/// The arithmetic of quantisation: real = scale * (q - zero_point), q an integer of [low, high], or another format of
/// few bits. One function for simulation, calibration and export, so that all stand on the same grid.
namespace compress::ops {

/// What numbers are stored as. gfpq: ops/gfpq.h; the others: ops/floating_grid.h.
enum class GridFormat { integer, gfpq, float8_e4m3, float8_e5m2, float16, bfloat16 };

/// power_of_two: the least power of two that is not below the exact scale, so that a shift multiplies by it.
enum class ScaleRule { exact, power_of_two };

/// Which numbers a grid has.
struct GridSpec {
  int bits = 8;
  bool is_signed = true;
  bool narrow = false;                      ///< leaves out the lowest integer: -127..127, 1..255
  bool symmetric = true;                    ///< zero point 0
  GridFormat format = GridFormat::integer;  ///< with others the three flags above say nothing
  ScaleRule scale_rule = ScaleRule::exact;  ///< of integers and of 8-bit floating point

  bool is_integer() const { return format == GridFormat::integer; }
  /// The least and the greatest integer.
  int64_t low() const;
  int64_t high() const;
  bool operator==(const GridSpec&) const = default;
};

/// Throws a request error when bits, flags and scale rule do not go with the format: integers have 2 to 16 bits (up to
/// 32 where sums of products are kept: biases and accumulators), gfpq 8 or 16, the others their own.
void check_spec(const GridSpec& spec);

/// Reads `bits`, `signed`, `narrow_range`, `symmetric`, `format` and `scale_rule` of a node. Throws as check_spec().
GridSpec grid_spec(const Node& node);

/// Writes what grid_spec() reads, and takes away what says nothing of the format.
void set_grid(Attributes& attributes, const GridSpec& spec);

/// Which elements of a value share a scale.
struct GridAxes {
  int64_t axis = -1;        ///< a scale per index of this axis (of a weight: its output channels); -1: one for all
  int64_t input_axis = -1;  ///< with groups: the axis of a weight's input channels
  int64_t group_size = 0;   ///< so many input channels share a scale [outputs, groups]; 0: no groups

  GridAxes(int64_t axis = -1) : axis(axis) {}
  GridAxes(int64_t axis, int64_t input_axis, int64_t group_size)
      : axis(axis), input_axis(input_axis), group_size(group_size) {}
  bool operator==(const GridAxes&) const = default;
};

/// Reads `axis`, `input_axis` and `group_size` of a node.
GridAxes grid_axes(const Node& node);

/// Scale and zero point: scalars, or one entry per index of an axis, or [outputs, groups].
struct Grid {
  at::Tensor scale;
  at::Tensor zero_point;  ///< integers, as floating-point numbers
};

/// The grid that covers [min, max] and 0 (always on the grid). An empty range (0 only) has scale 1. Formats that are
/// not integers: format_scale() (ops/grid_format.h), zero point 0. Integers by the exact rule:
///
/// Symmetric, signed, narrow: scale = absmax / (2^(bits-1) - 1). Symmetric, signed, full: absmax / ((2^bits - 1) / 2),
/// as Distiller's SYMMETRIC mode, which spreads the error of the missing positive integer over both ends. Symmetric,
/// unsigned: max / high; negative values are clipped. Asymmetric: scale = (max - min) / (high - low), zero point =
/// rint(low - min / scale).
Grid make_grid(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec);

/// So many steps are from 0 to the end of a symmetric grid of integers.
double symmetric_steps(const GridSpec& spec);

/// From where to where each part of a value reaches that has a scale of its own.
struct ValueRange {
  at::Tensor min, max;
};

/// The smallest and the largest element.
ValueRange value_range(const at::Tensor& x, GridAxes axes);

/// The range of a grid of integers: make_grid() of it is that grid again, but for the scale's last bit.
ValueRange grid_range(const Grid& grid, const GridSpec& spec);

/// Throws a request error when a minimum is above its maximum, or when one of them is not finite. For ranges that come
/// from outside: make_grid() does not look, since it runs in every training step.
void check_range(const ValueRange& range);

/// A per-axis tensor [C] as [1,C,1,1], to go with a value of `rank` axes; scalars and axis -1 as scalars.
at::Tensor along_axis(const at::Tensor& values, int64_t axis, int64_t rank);

/// Scales (or what else a grid has one of for each part) in a shape that broadcasts to x. Keeps gradients.
at::Tensor along_axes(const at::Tensor& values, GridAxes axes, const at::Tensor& x);

/// The integers clamp(rint(x / scale) + zero_point, low, high), as floating-point numbers (double precision above 16
/// bits); of other formats format_codes() (ops/grid_format.h). No gradient.
at::Tensor quantized(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes);

/// The nearest values on the grid. Gradient: straight through where x is inside the range (up to half a step beyond the
/// last number), zero outside; none for the grid.
at::Tensor fake_quantize(const at::Tensor& x, const Grid& grid, const GridSpec& spec, GridAxes axes);

/// Overwrites the two tensors, whatever their type, without touching autograd.
void write_grid(const Grid& grid, const at::Tensor& scale, const at::Tensor& zero_point);

}  // namespace compress::ops
