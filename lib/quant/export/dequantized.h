#pragma once

#include "graph/graph.h"

#include <optional>

namespace compress::quant {

/// A value of a QDQ graph that a DequantizeLinear makes from 8-bit integers: what an integer operator reads in its
/// place.
struct Dequantized {
  std::string codes;       ///< the integers: a value or a parameter
  std::string scale;       ///< a parameter, or a value of DynamicQuantizeLinear
  std::string zero_point;  ///< the same
  at::ScalarType type;     ///< of the integers
  int64_t axis = -1;       ///< of several scales; -1: one for all
  bool dynamic = false;    ///< scale and zero point are values
};

/// None unless the value is dequantised from int8 or uint8 (not from parts of them), with one scale or one per index of
/// an axis.
std::optional<Dequantized> dequantized(const Graph& graph, const std::string& value);

/// A QuantizeLinear that ends a stretch of floating point behind a node, and what stands between.
struct Requantized {
  const Node* quantizer = nullptr;
  std::vector<const Node*> between = {};  ///< Relu and Clip, in order
  double low = 0, high = 0;               ///< what they, and the type, leave of the integers
  bool limited = false;                   ///< low and high are not the type's own
  at::ScalarType type = at::kByte;
};

/// None when others read what is in between, when something else than Relu and Clip stands there, or when the integers
/// have not 8 bits and one scale. Rounding and clipping commute: the limits of a Relu or Clip become integers.
std::optional<Requantized> requantized(const Graph& graph, const Node& node, int output = 0);

}  // namespace compress::quant
