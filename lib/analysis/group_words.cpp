#include "analysis/group_words.h"

#include <utility>

namespace compress::analysis {

namespace {

constexpr std::pair<std::string_view, std::string_view> kGroups[] = {
    {"2D", "kernel"},   {"3D", "filter"},      {"4D", "layer"}, {"Channels", "channel"},
    {"Cols", "column"}, {"Filters", "filter"}, {"Rows", "row"},
};

}  // namespace

std::string_view granularity_of_group(std::string_view word) {
  for (const auto& [group, granularity] : kGroups)
    if (group == word) return granularity;
  return "";
}

std::vector<std::string> group_words() {
  std::vector<std::string> words;
  for (const auto& [group, granularity] : kGroups) words.emplace_back(group);
  return words;
}

}  // namespace compress::analysis
