#include "graph/select.h"

#include "core/text.h"

#include <algorithm>

namespace compress {

namespace {

std::string without_module(std::string_view word) {
  constexpr std::string_view kWrapper = "module.", kWithin = ".module.";
  std::string name(word.starts_with(kWrapper) ? word.substr(kWrapper.size()) : word);
  for (size_t at = name.find(kWithin); at != std::string::npos; at = name.find(kWithin, at))
    name.erase(at, kWrapper.size());
  return name;
}

std::vector<std::string> trainable_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Parameter& parameter : graph.parameters())
    if (parameter.trainable) names.push_back(parameter.name);
  return names;
}

/// What decides between two words that mean the same parameter: exact names first, then the longest pattern.
size_t precision(const Graph& graph, std::string_view word) {
  return graph.find_parameter(without_module(word)) ? std::string_view::npos : without_module(word).size();
}

}  // namespace

std::vector<std::string> select_parameters(const Graph& graph, std::string_view word) {
  const auto name = without_module(word);
  if (const Parameter* parameter = graph.find_parameter(name)) {
    if (parameter->trainable) return {parameter->name};
    throw request_error("parameter '{}' is not trained: it holds statistics or constants", word);
  }
  const auto known = trainable_names(graph);
  if (!is_glob(name))
    throw request_error("'{}' has no parameter '{}'", graph.name, word).hint(did_you_mean(name, known));
  std::vector<std::string> found;
  for (const auto& candidate : known)
    if (glob_match(name, candidate)) found.push_back(candidate);
  if (found.empty())
    throw request_error("the pattern '{}' matches no parameter of '{}'", word, graph.name)
        .hint(did_you_mean(name, known));
  return found;
}

std::vector<std::string>
select_parameters(const Graph& graph, const std::vector<std::string>& words, Problems& problems) {
  std::vector<std::string> names;
  for (const auto& word : words)
    problems.capture([&] {
      for (auto& name : select_parameters(graph, word))
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    });
  return names;
}

ParameterValues select_values(const Graph& graph, const std::map<std::string, double>& words, Problems& problems) {
  std::map<std::string, std::pair<size_t, double>> chosen;
  for (const auto& [word, value] : words)
    problems.capture([&] {
      const auto rank = precision(graph, word);
      for (const auto& name : select_parameters(graph, word)) {
        const auto [place, first] = chosen.try_emplace(name, rank, value);
        if (!first && rank >= place->second.first) place->second = {rank, value};
      }
    });
  ParameterValues result;
  for (const auto& name : trainable_names(graph)) {
    const auto found = chosen.find(name);
    if (found == chosen.end()) continue;
    result.names.push_back(name);
    result.values.push_back(found->second.second);
  }
  return result;
}

void follow(std::vector<std::string>& names, const Changes& changes) {
  for (const auto& [from, to] : changes.renamed) std::ranges::replace(names, from, to);
  for (const auto& gone : changes.removed) std::erase(names, gone);
}

void follow(ParameterValues& values, const Changes& changes) {
  for (const auto& [from, to] : changes.renamed) std::ranges::replace(values.names, from, to);
  for (const auto& gone : changes.removed) {
    const auto found = std::ranges::find(values.names, gone);
    if (found == values.names.end()) continue;
    values.values.erase(values.values.begin() + (found - values.names.begin()));
    values.names.erase(found);
  }
}

}  // namespace compress
