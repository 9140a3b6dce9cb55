#include "prune/uncoupled.h"

#include "analysis/channel_role.h"
#include "analysis/coupled_channels.h"
#include "core/log.h"
#include "core/text.h"

#include <algorithm>
#include <set>

namespace compress::prune {

namespace {

/// The weights of a group that make its channels (or read them).
std::vector<std::string> weights_of(const Graph& graph, const analysis::ChannelGroup& group, bool filters) {
  std::vector<std::string> weights;
  for (const auto& [name, axis] : group.members) {
    const Parameter& parameter = graph.parameter(name);
    if (!parameter.trainable || parameter.value.dim() < 2) continue;
    if (analysis::weight_axis(graph, name, filters) != axis) continue;
    if (filters && parameter.value.dim() > 2 && parameter.value.size(1) == 1 && parameter.value.size(0) > 1) continue;
    if (analysis::makes_channels(graph, parameter, axis) == filters) weights.push_back(name);
  }
  return weights;
}

std::string quoted(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::vector<std::string> words;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) words.push_back("'" + names[i] + "'");
  if (names.size() > kShown) words.push_back(fmt::format("{} more", names.size() - kShown));
  return join_words(words);
}

}  // namespace

std::vector<std::string>
uncoupled_weights(const Graph& graph, const std::vector<std::string>& names, bool filters, bool together) {
  std::vector<std::string> lines;
  std::set<std::vector<std::string>> told;
  const analysis::CoupledChannels channels(graph);
  for (const auto& group : channels.groups()) {
    if (!group.blocked.empty()) continue;
    const auto weights = weights_of(graph, group, filters);
    std::vector<std::string> pruned, missing;
    for (const auto& weight : weights)
      (std::ranges::find(names, weight) == names.end() ? missing : pruned).push_back(weight);
    if (pruned.empty() || weights.size() < 2 || (together && missing.empty()) || !told.insert(weights).second) continue;
    std::string line = fmt::format("{} {} the same channels, ", quoted(weights), filters ? "make" : "read");
    line += missing.empty() ? std::string("but each is pruned by a map of its own")
                            : fmt::format("but {} {} not pruned with the others", quoted(missing),
                                          missing.size() == 1 ? "is" : "are");
    lines.push_back(line);
  }
  return lines;
}

void warn_of_uncoupled(const std::vector<std::string>& lines) {
  for (const auto& line : lines)
    log::warning("[prune] {}: thinning can remove only what is zero in all of them. To prune them together, list all "
                 "of them with "
                 "'group_dependency: Leader', or use 'class: Pruner' with 'dependency: coupled'",
                 line);
}

}  // namespace compress::prune
