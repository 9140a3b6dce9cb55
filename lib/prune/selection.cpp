#include "prune/selection.h"

#include "analysis/weight.h"
#include "core/text.h"
#include "graph/select.h"
#include "prune/pruner.h"

#include <algorithm>
#include <set>

namespace compress::prune {

namespace {

std::vector<std::string> layer_weights(const Graph& graph) {
  std::set<std::string> weights;
  for (const Node& node : graph.nodes())
    if (const auto* weight = analysis::weight_of(graph, node); weight && weight->trainable)
      weights.insert(weight->name);
  std::vector<std::string> ordered;
  for (const Parameter& parameter : graph.parameters())
    if (weights.contains(parameter.name)) ordered.push_back(parameter.name);
  return ordered;
}

std::vector<std::string> exact_among(const Graph& graph, const std::vector<std::string>& words) {
  std::vector<std::string> exact;
  for (const auto& word : words) {
    if (is_glob(word)) continue;
    Problems known;
    for (auto& name : select_parameters(graph, {word}, known)) exact.push_back(std::move(name));
  }
  return exact;
}

}  // namespace

Selection select_any(const Graph& graph, const std::vector<std::string>& words, Problems& problems) {
  require_words(words, problems);
  return {select_parameters(graph, words, problems), exact_among(graph, words)};
}

Selection select_weights(const Graph& graph, const std::vector<std::string>& words, Problems& problems) {
  const auto weights = layer_weights(graph);
  if (weights.empty()) problems.add(request_error("'{}' has no convolutions or linear layers to prune", graph.name));
  if (words.empty()) return {weights, {}};
  Selection selection{select_parameters(graph, words, problems), exact_among(graph, words)};
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  };
  std::erase_if(selection.names, [&](const auto& name) { return !has(weights, name) && !has(selection.exact, name); });
  if (selection.names.empty() && problems.empty())
    problems.add(
        request_error("the patterns '{}' match no weight of a convolution or linear layer", join(words, "', '"))
            .hint("other parameters are pruned when their whole name is given"));
  return selection;
}

}  // namespace compress::prune
