#include "io/own_record.h"

#include "ops/op.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace compress::io {
namespace {

/// False when a number would come back from a 32-bit float as another one.
bool survives(double number) {
  return std::isnan(number) || shortest(static_cast<float>(number)) == number;
}

bool survives_onnx(const Attribute& attribute) {
  if (const auto* number = std::get_if<double>(&attribute)) return survives(*number);
  if (const auto* numbers = std::get_if<std::vector<double>>(&attribute))
    return std::ranges::all_of(*numbers, survives);
  return true;
}

}  // namespace

std::string print_own_record(const Graph& graph) {
  auto fixed = nlohmann::json::array();
  for (const auto& parameter : graph.parameters())
    if (!parameter.trainable) fixed.push_back(parameter.name);
  auto exact = nlohmann::json::object();
  for (const auto& node : graph.nodes())
    for (const auto& [name, attribute] : node.attributes) {
      if (survives_onnx(attribute)) continue;
      if (const auto* number = std::get_if<double>(&attribute)) exact[node.name][name] = *number;
      if (const auto* numbers = std::get_if<std::vector<double>>(&attribute)) exact[node.name][name] = *numbers;
    }
  return nlohmann::json{{"version", 1}, {"fixed", fixed}, {"exact", exact}}.dump();
}

OwnRecord parse_own_record(const std::string& text) {
  OwnRecord record;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return record;
  if (const auto fixed = json.find("fixed"); fixed != json.end() && fixed->is_array())
    for (const auto& name : *fixed)
      if (name.is_string()) record.fixed.insert(name.get<std::string>());
  const auto exact = json.find("exact");
  if (exact == json.end() || !exact->is_object()) return record;
  for (const auto& [node, attributes] : exact->items()) {
    if (!attributes.is_object()) continue;
    for (const auto& [name, value] : attributes.items()) {
      if (value.is_number()) record.exact[node][name] = value.get<double>();
      if (value.is_array() && std::ranges::all_of(value, [](const auto& v) { return v.is_number(); }))
        record.exact[node][name] = value.get<std::vector<double>>();
    }
  }
  return record;
}

}  // namespace compress::io
