#pragma once

#include "graph/graph.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

/// The parameters that a recipe means by `word`: an exact name, or a pattern with '*' and '?' over the trainable
/// parameters. "module." (PyTorch's data-parallel wrapper) is dropped, at the beginning and behind a dot.
/// In the graph's order. Throws a request error when nothing matches.
std::vector<std::string> select_parameters(const Graph& graph, std::string_view word);

/// The parameters that any of the words means, each once, in the order of the words. Every word must match; problems
/// quote it.
std::vector<std::string>
select_parameters(const Graph& graph, const std::vector<std::string>& words, Problems& problems);

/// A number for each of some parameters.
struct ParameterValues {
  std::vector<std::string> names;
  std::vector<double> values;  ///< as many
};

/// One value per parameter from a map of names and patterns. An exact name beats a pattern, a longer pattern a shorter
/// one, so '*' is what holds for all others. Every word must match.
ParameterValues select_values(const Graph& graph, const std::map<std::string, double>& words, Problems& problems);

/// Lets parameter names follow an edit of the graph.
void follow(std::vector<std::string>& names, const Changes& changes);
void follow(ParameterValues& values, const Changes& changes);

}  // namespace compress
