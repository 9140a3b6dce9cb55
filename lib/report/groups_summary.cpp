#include "analysis/coupled_channels.h"
#include "core/text.h"
#include "report/sheet.h"
#include "report/summary.h"

#include <algorithm>

namespace compress::report {

namespace {

using analysis::ChannelGroup;
using analysis::CoupledChannels;

constexpr size_t kColumns = 100;  ///< of a terminal

struct Members {
  std::vector<std::string> weights;  ///< "conv1.weight:0"; a channel of several indices: "fc.weight:1 (16 each)"
  std::vector<std::string> vectors;  ///< biases, statistics and the like
};

Members members_of(const ChannelGroup& group, const CoupledChannels& channels) {
  Members members;
  for (size_t m = 0; m < group.members.size(); ++m) {
    const auto& [parameter, axis] = group.members[m];
    if (channels.map(parameter).size() < 2) {
      members.vectors.push_back(parameter);
      continue;
    }
    const size_t each = group.channels.front().indices[m].size();
    const bool alike =
        std::ranges::all_of(group.channels, [&](const auto& channel) { return channel.indices[m].size() == each; });
    members.weights.push_back(fmt::format("{}:{}", parameter, axis) + (!alike     ? " (several each)"
                                                                       : each > 1 ? fmt::format(" ({} each)", each)
                                                                                  : ""));
  }
  return members;
}

/// Groups that can be pruned first, each kind in the graph's order.
std::vector<const ChannelGroup*> sorted_groups(const CoupledChannels& channels) {
  std::vector<const ChannelGroup*> groups;
  for (const auto& group : channels.groups()) groups.push_back(&group);
  std::ranges::stable_sort(groups, {}, [](const ChannelGroup* group) { return !group->blocked.empty(); });
  return groups;
}

/// Words in indented lines of at most kColumns.
std::string wrapped(const std::vector<std::string>& words, const std::string& indent) {
  std::string text, line;
  for (const auto& word : words) {
    if (!line.empty() && line.size() + 3 + word.size() > kColumns) {
      text += line + ",\n";
      line.clear();
    }
    line += (line.empty() ? indent : ", ") + word;
  }
  return text + line + "\n";
}

std::string group_text(size_t number, const ChannelGroup& group, Members members) {
  const auto size = group.channels.size();
  if (!members.vectors.empty())
    members.weights.push_back(
        fmt::format("{} {}", members.vectors.size(), members.vectors.size() == 1 ? "vector" : "vectors"));
  return wrapped({fmt::format("{:>3}  {} channel{}", number, size, size == 1 ? "" : "s") +
                  (group.blocked.empty() ? "" : ", blocked by " + group.blocked)},
                 "") +
         wrapped(members.weights, "       ");
}

SummaryForms make_groups(const SummaryRequest& request) {
  const auto& graph = request.graph;
  const CoupledChannels channels(graph, analysis::Heads::whole);
  Sheet sheet({{"Name"},
               {"Group"},
               {.name = "Channels", .compared = Compared::by_people},
               {.name = "Blocked by", .compared = Compared::by_people},
               {"Weights"},
               {"Vectors"}});
  std::string lines;
  int64_t free_groups = 0, free_channels = 0, number = 0;
  for (const auto* group : sorted_groups(channels)) {
    const auto members = members_of(*group, channels);
    const auto size = static_cast<int64_t>(group->channels.size());
    const bool free = group->blocked.empty();
    free_groups += free;
    free_channels += free ? size : 0;
    const auto& [parameter, axis] = group->members.front();
    sheet.row({fmt::format("{}:{}", parameter, axis), ++number, size, free ? Cell() : Cell(group->blocked),
               members.weights, members.vectors});
    lines += group_text(static_cast<size_t>(number), *group, members);
  }
  auto head = fmt::format("{} groups of coupled channels, {} of them free to be pruned ({} channels).\n", number,
                          free_groups, with_commas(free_channels));
  head += "Listed are the parameters and axes that a channel of the group takes with it. A blocked group\n"
          "keeps all its channels; its weights can still be pruned one by one.\n\n";
  auto forms = table_forms(std::move(sheet), {{"free_groups", "Groups free to be pruned", free_groups},
                                              {"free_channels", "Channels free to be pruned", free_channels}});
  forms.text = head + lines;
  return forms;
}

}  // namespace

extern const Summary groups_summary;
const Summary groups_summary{.name = "groups",
                             .doc = "which channels must be pruned together, and what blocks the others",
                             .files = {".txt", ".csv", ".json"},
                             .make = make_groups};

}  // namespace compress::report
