#pragma once

#include "ops/grid_rounding.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The number formats of grids by name, and the arithmetic of those that are not integers.
namespace compress::ops {

/// The words of recipes and of the attributes `format` and `scale_rule`.
std::vector<std::pair<std::string, GridFormat>> grid_formats();
std::vector<std::pair<std::string, ScaleRule>> scale_rules();
std::string word_of(GridFormat format);
std::string word_of(ScaleRule rule);
/// Throws a request error for an unknown word.
GridFormat grid_format(std::string_view word);
ScaleRule scale_rule(std::string_view word);

/// The bits of a format that has one width only; 0: several (integer, gfpq).
int implied_bits(GridFormat format);

/// The scale of the grid over [min, max]: 2^(mark / steps), GFPQ's lowest level; absmax / largest with 8-bit floating
/// point; 1 with halves. Throws a request error when GFPQ is asked for several scales.
at::Tensor format_scale(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec);

/// The mark of a GFPQ scale.
int64_t mark_of_scale(const at::Tensor& scale, int bits);

/// What is stored: GFPQ's codes (32-bit integers), or x / scale rounded to the format. The scale broadcasts to x.
at::Tensor format_codes(const at::Tensor& x, const at::Tensor& scale, const GridSpec& spec);

/// As rounded(), for formats that are not integers.
Rounded format_rounded(const at::Tensor& x, const at::Tensor& scale, const GridSpec& spec, bool want_inside);

}  // namespace compress::ops
