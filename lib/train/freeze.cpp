#include "train/freeze.h"

#include "core/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::train {

namespace {

bool is_frozen(const Freeze& freeze, std::string_view name) {
  return std::ranges::any_of(freeze.patterns, [&](const auto& pattern) { return glob_match(pattern, name); });
}

}  // namespace

Field Freeze::field() {
  Field field{
      .name = "freeze", .type = "list of text", .doc = "names of parameters, or patterns with '*', that do not learn"};
  field.read = [this](const Yaml& value) {
    patterns = from_yaml<std::vector<std::string>>(value, "freeze");
    places.clear();
    for (const auto& item : value.items) places.push_back(item.place);
  };
  field.print = [this] {
    auto list = Yaml::sequence();
    for (const auto& pattern : patterns) list.items.push_back(Yaml::scalar(pattern, true));
    return list;
  };
  field.schema = [] { return nlohmann::json{{"type", "array"}, {"items", {{"type", "string"}}}}; };
  return field;
}

void check_freeze(const Freeze& freeze, const Graph& graph) {
  std::vector<std::string> names;
  for (const Parameter& parameter : graph.parameters())
    if (parameter.trainable && parameter.value.is_floating_point()) names.push_back(parameter.name);
  Problems problems;
  for (size_t i = 0; i < freeze.patterns.size(); ++i) {
    const auto& pattern = freeze.patterns[i];
    if (std::ranges::none_of(names, [&](const auto& name) { return glob_match(pattern, name); }))
      problems.add(request_error("freeze: '{}' matches no trainable parameter of '{}'", pattern, graph.name)
                       .at(freeze.places[i])
                       .hint(did_you_mean(pattern, names))
                       .hint("compress summary MODEL --what sparsity lists the names"));
  }
  const auto frozen = [&](const auto& name) { return is_frozen(freeze, name); };
  if (problems.empty() && !freeze.patterns.empty() && std::ranges::all_of(names, frozen))
    problems.add(request_error("freeze: every trainable parameter of '{}' is frozen", graph.name)
                     .at(freeze.places.front())
                     .hint("training.epochs: 0 compresses without training"));
  problems.raise();
}

std::vector<std::string> frozen_batch_norms(const Freeze& freeze, const Graph& graph) {
  std::vector<std::string> nodes;
  const auto frozen = [&](const Node& node, size_t input) {
    return node.has_input(input) && is_frozen(freeze, node.inputs[input]);
  };
  for (const Node& node : graph.nodes()) {
    if (node.op == "BatchNormalization" && frozen(node, 1) && frozen(node, 2)) nodes.push_back(node.name);
    // Its quantiser's grid follows the weight, so that one must stay too.
    if (node.op == "ConvBatchNormalization" && frozen(node, 1) && frozen(node, 3) && frozen(node, 4))
      nodes.push_back(node.name);
  }
  return nodes;
}

}  // namespace compress::train
