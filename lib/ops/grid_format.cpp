#include "ops/grid_format.h"

#include "core/error.h"
#include "core/text.h"
#include "ops/floating_grid.h"
#include "ops/gfpq.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/ones_like.h>

#include <algorithm>
#include <cmath>

namespace compress::ops {

namespace {

template <class Enum>
std::string word_for(Enum value, const std::vector<std::pair<std::string, Enum>>& all) {
  for (const auto& [word, other] : all)
    if (other == value) return word;
  return {};
}

template <class Enum>
Enum named(std::string_view what, std::string_view word, const std::vector<std::pair<std::string, Enum>>& all) {
  std::vector<std::string> words;
  for (const auto& [name, value] : all) {
    if (name == word) return value;
    words.push_back(name);
  }
  throw request_error("unknown {} '{}'", what, word)
      .hint(did_you_mean(word, words))
      .hint("allowed are " + join_words(words));
}

/// The smallest power of two that single precision holds with all its digits: a scale is never below.
constexpr int kLowestExponent = -126;

at::Tensor gfpq_scale(const at::Tensor& reach, int bits) {
  if (reach.numel() != 1)
    throw request_error("the number format gfpq with {} scales", reach.numel())
        .hint("it has one scale for the whole value: neither per channel nor in groups");
  const int steps = gfpq_format(bits).steps;
  const auto mark = std::max<int64_t>(gfpq_mark(reach.item<double>(), bits), int64_t{kLowestExponent} * steps);
  return at::full_like(reach, std::exp2(static_cast<double>(mark) / steps));
}

/// The magnitude from which on nothing of the format is near: half a step beyond the largest number (GFPQ: a whole one,
/// since its levels end up to a step below the largest magnitude), and a hundredth more for what rounding does to it.
double farthest(const GridSpec& spec) {
  if (spec.format == GridFormat::gfpq) {
    const auto format = gfpq_format(spec.bits);
    return std::exp2((format.highest + 1.01) / format.steps);
  }
  const auto& format = float_format(spec.format);
  return format.largest + 0.51 * std::ldexp(1.0, std::ilogb(format.largest) - format.mantissa_bits);
}

}  // namespace

std::vector<std::pair<std::string, GridFormat>> grid_formats() {
  return {{"integer", GridFormat::integer},         {"gfpq", GridFormat::gfpq},
          {"float8_e4m3", GridFormat::float8_e4m3}, {"float8_e5m2", GridFormat::float8_e5m2},
          {"float16", GridFormat::float16},         {"bfloat16", GridFormat::bfloat16}};
}

std::vector<std::pair<std::string, ScaleRule>> scale_rules() {
  return {{"exact", ScaleRule::exact}, {"power_of_two", ScaleRule::power_of_two}};
}

std::string word_of(GridFormat format) {
  return word_for(format, grid_formats());
}

std::string word_of(ScaleRule rule) {
  return word_for(rule, scale_rules());
}

GridFormat grid_format(std::string_view word) {
  return named("number format", word, grid_formats());
}

ScaleRule scale_rule(std::string_view word) {
  return named("scale rule", word, scale_rules());
}

int implied_bits(GridFormat format) {
  switch (format) {
  case GridFormat::integer:
  case GridFormat::gfpq: return 0;
  case GridFormat::float8_e4m3:
  case GridFormat::float8_e5m2: return 8;
  case GridFormat::float16:
  case GridFormat::bfloat16: return 16;
  }
  return 0;
}

at::Tensor format_scale(const at::Tensor& min, const at::Tensor& max, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  if (spec.format == GridFormat::gfpq) return gfpq_scale(at::maximum(min.abs(), max.abs()), spec.bits);
  if (implied_bits(spec.format) == 16) return at::ones_like(min);
  return float_scale(min, max, float_format(spec.format));
}

int64_t mark_of_scale(const at::Tensor& scale, int bits) {
  return std::llround(gfpq_format(bits).steps * std::log2(scale.item<double>()));
}

at::Tensor format_codes(const at::Tensor& x, const at::Tensor& scale, const GridSpec& spec) {
  const at::NoGradGuard no_grad;
  if (spec.format == GridFormat::gfpq) return gfpq_encode(x, mark_of_scale(scale, spec.bits), spec.bits);
  return float_rounded(x.div(scale), float_format(spec.format));
}

Rounded format_rounded(const at::Tensor& x, const at::Tensor& scale, const GridSpec& spec, bool want_inside) {
  const at::NoGradGuard no_grad;
  Rounded result;
  if (want_inside) result.inside = x.div(scale).abs_().le(farthest(spec));
  result.values = spec.format == GridFormat::gfpq ? gfpq_quantize(x, mark_of_scale(scale, spec.bits), spec.bits)
                                                  : format_codes(x, scale, spec).mul_(scale);
  return result;
}

}  // namespace compress::ops
