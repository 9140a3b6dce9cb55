#include "quant/export/dequantized.h"

#include "ops/integer_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace compress::quant {
namespace {

bool is_byte(at::ScalarType type) {
  return type == at::kByte || type == at::kChar;
}

bool has_plain_layout(const Node& node) {
  return !node.attributes.has("bits") && !node.attributes.has("block_size") && node.has_input(2);
}

/// The integer of a real limit, as QuantizeLinear rounds it.
double integer_of(double limit, float scale, double zero_point, const std::pair<double, double>& range) {
  const auto q = std::nearbyint(static_cast<float>(limit) / scale) + zero_point;
  return std::clamp(q, range.first, range.second);
}

struct Limits {
  double low, high;  ///< real
};
std::optional<Limits> limits_of(const Node& node) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  if (node.op == "Relu") return Limits{0, kNone};
  if (node.op == "Clip") return Limits{node.attributes.number("min", -kNone), node.attributes.number("max", kNone)};
  return std::nullopt;
}

const Node* only_reader(const Graph& graph, const std::string& value) {
  const auto readers = graph.consumers(value);
  return readers.size() == 1 && !graph.is_output(value) ? readers.front() : nullptr;
}

}  // namespace

std::optional<Dequantized> dequantized(const Graph& graph, const std::string& value) {
  const auto* node = graph.producer(value);
  if (node == nullptr || node->op != "DequantizeLinear" || !has_plain_layout(*node)) return std::nullopt;
  const auto *scale = graph.find_parameter(node->inputs[1]), *zero_point = graph.find_parameter(node->inputs[2]);
  const auto* source = graph.producer(node->inputs[1]);
  Dequantized result{.codes = node->inputs[0], .scale = node->inputs[1], .zero_point = node->inputs[2]};
  result.dynamic = source != nullptr && source->op == "DynamicQuantizeLinear";
  result.type = result.dynamic ? at::kByte : at::ScalarType::Undefined;
  if (scale != nullptr && zero_point != nullptr) result.type = zero_point->value.scalar_type();
  if (!is_byte(result.type)) return std::nullopt;
  if (scale != nullptr && scale->value.numel() > 1) result.axis = node->attributes.integer("axis", 1);
  return result;
}

std::optional<Requantized> requantized(const Graph& graph, const Node& node, int output) {
  Requantized result;
  std::vector<Limits> limits;
  const auto* reader = only_reader(graph, node.output(output));
  for (; reader != nullptr; reader = only_reader(graph, reader->name)) {
    const auto limit = limits_of(*reader);
    if (!limit) break;
    limits.push_back(*limit);
    result.between.push_back(reader);
  }
  if (reader == nullptr || reader->op != "QuantizeLinear" || !has_plain_layout(*reader)) return std::nullopt;
  const auto &scale = graph.parameter(reader->inputs[1]).value, &zero_point = graph.parameter(reader->inputs[2]).value;
  result.type = zero_point.scalar_type();
  if (!is_byte(result.type) || scale.numel() != 1) return std::nullopt;
  const auto range = ops::grid_limits(result.type);
  std::tie(result.low, result.high) = range;
  for (const auto& limit : limits) {
    const auto low = integer_of(limit.low, scale.item<float>(), zero_point.item<double>(), range);
    const auto high = std::max(low, integer_of(limit.high, scale.item<float>(), zero_point.item<double>(), range));
    result.low = std::clamp(result.low, low, high);
    result.high = std::clamp(result.high, low, high);
  }
  result.limited = std::pair(result.low, result.high) != range;
  result.quantizer = reader;
  return result;
}

}  // namespace compress::quant
