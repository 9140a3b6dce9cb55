#pragma once

#include "core/settings.h"
#include "graph/graph.h"

#include <cstdint>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <vector>

namespace compress::quant {

/// Bits of one layer; absent: not quantised.
struct LayerBits {
  std::optional<int64_t> activations, weights, bias;
};

/// Declares the bits as arguments: 2 to 16, or 32 or null for "stays in floating point".
void declare_bits(Settings& settings, std::string name, std::optional<int64_t>& bits, std::string doc);

/// Throws a request error, which names the argument, when `bits` is neither 2 to 16 nor 32.
void check_bits(std::string_view name, const std::optional<int64_t>& bits);

/// True when a tensor of so many bits gets a quantiser.
inline bool quantised(const std::optional<int64_t>& bits) {
  return bits && *bits < 32;
}

/// The `overrides:` argument: an ordered map from a regular expression, which must match the whole name of a node or
/// graph input, to bits; the first match wins. (Distiller's rule; a leading "module." of the pattern is dropped.
/// distiller.md 2.1.)
class Overrides {
public:
  enum class Bias { accepted, refused };

  Overrides() = default;
  /// Keys that an entry lacks keep the default. Throws a request error with the place of what is wrong.
  Overrides(const Yaml& map, const LayerBits& defaults, Bias bias = Bias::accepted);

  /// The bits of what the first of `names` that some pattern matches is given; the defaults when none is matched.
  const LayerBits& find(std::span<const std::string> names) const;
  /// True when a pattern matches one of the names.
  bool matches(std::span<const std::string> names) const;
  /// Adds a problem for each pattern that matches neither node nor graph input.
  void check_names(const Graph& graph, Problems& problems) const;

private:
  struct Entry {
    std::string pattern;
    std::regex regex;
    Place place;
    LayerBits bits;
  };
  const Entry* match(std::string_view name) const;

  LayerBits defaults_;
  std::vector<Entry> entries_;
};

}  // namespace compress::quant
