#include "distill/value_channels.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace compress::distill {

ValueChannels::ValueChannels(const analysis::CoupledChannels& channels,
                             const std::string& value,
                             size_t axis,
                             int64_t size)
    : original_(static_cast<size_t>(size)) {
  restart();
  const auto& map = channels.map(value);
  if (axis >= map.size() || std::ssize(map[axis]) != size) return;
  std::map<ops::Atom, std::vector<size_t>> positions;
  for (size_t i = 0; i < map[axis].size(); ++i) positions[channels.pool().find(map[axis][i])].push_back(i);
  for (const auto& group : channels.groups())
    for (size_t m = 0; m < group.members.size(); ++m) {
      Member member{group.members[m].parameter, group.members[m].axis, std::vector<int64_t>(original_.size(), -1)};
      for (const auto& channel : group.channels)
        if (const auto found = positions.find(channel.root); found != positions.end() && !channel.indices[m].empty())
          for (const auto position : found->second) member.indices[position] = channel.indices[m].front();
      if (std::ranges::any_of(member.indices, [](int64_t index) { return index >= 0; }))
        members_.push_back(std::move(member));
    }
}

std::optional<std::vector<int64_t>> ValueChannels::apply(const Changes& changes) {
  for (auto& member : members_)
    for (const auto& [from, to] : changes.renamed)
      if (member.parameter == from) {
        member.parameter = to;
        break;
      }
  std::erase_if(members_, [&](const Member& member) {
    return std::ranges::find(changes.removed, member.parameter) != changes.removed.end();
  });
  std::vector<bool> gone(original_.size());
  for (const auto& slice : changes.sliced)
    for (auto& member : members_) {
      if (member.parameter != slice.parameter || member.axis != slice.axis) continue;
      for (size_t c = 0; c < gone.size(); ++c) {
        auto& index = member.indices[c];
        if (index < 0) continue;
        const auto place = std::ranges::lower_bound(slice.kept, index);
        if (place == slice.kept.end() || *place != index)
          gone[c] = true;
        else
          index = place - slice.kept.begin();
      }
    }
  if (std::ranges::find(gone, true) == gone.end()) return {};
  std::vector<int64_t> kept;
  for (size_t c = 0; c < gone.size(); ++c)
    if (!gone[c]) kept.push_back(static_cast<int64_t>(c));
  keep(kept);
  return kept;
}

void ValueChannels::keep(const std::vector<int64_t>& positions) {
  const auto select = [&](std::vector<int64_t>& list) {
    std::vector<int64_t> chosen;
    for (const auto position : positions) chosen.push_back(list[static_cast<size_t>(position)]);
    list = std::move(chosen);
  };
  for (auto& member : members_) select(member.indices);
  select(original_);
}

void ValueChannels::restart() {
  std::iota(original_.begin(), original_.end(), int64_t{0});
}

nlohmann::json ValueChannels::save() const {
  auto members = nlohmann::json::array();
  for (const auto& member : members_)
    members.push_back({{"parameter", member.parameter}, {"axis", member.axis}, {"indices", member.indices}});
  return {{"members", members}, {"original", original_}};
}

void ValueChannels::load(const nlohmann::json& saved) {
  original_ = saved.at("original").get<std::vector<int64_t>>();
  members_.clear();
  for (const auto& member : saved.at("members"))
    members_.push_back({member.at("parameter").get<std::string>(), member.at("axis").get<int>(),
                        member.at("indices").get<std::vector<int64_t>>()});
}

size_t channel_axis(const analysis::CoupledChannels& channels, const std::string& value, size_t rank) {
  if (rank != 3) return 1;
  const auto& map = channels.map(value);
  return !map[1].empty() && map[2].empty() ? 1 : 2;
}

}  // namespace compress::distill
