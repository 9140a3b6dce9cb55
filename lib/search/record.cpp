#include "search/record.h"

#include "core/file.h"
#include "core/text.h"
#include "io/checkpoint.h"

#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>

namespace compress::search {

namespace {

using nlohmann::json;

/// Checkpoints hold finite numbers only.
json finite(double value) {
  return std::isfinite(value) ? json(value) : json();
}

double number(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

json to_json(const Iteration& one) {
  return {{"number", one.number},           {"unit", one.unit},
          {"removed", one.removed},         {"channels", one.channels},
          {"candidates", one.candidates},   {"metric", finite(one.score.metric)},
          {"loss", finite(one.score.loss)}, {"higher_is_better", one.score.higher_is_better},
          {"macs", one.size.macs},          {"parameters", one.size.parameters},
          {"bytes", one.size.bytes}};
}

Iteration iteration_from(const json& one) {
  return {.number = one.at("number"),
          .unit = one.at("unit"),
          .removed = one.at("removed"),
          .channels = one.at("channels"),
          .candidates = one.at("candidates"),
          .score = {.metric = number(one.at("metric")),
                    .loss = number(one.at("loss")),
                    .higher_is_better = one.at("higher_is_better")},
          .size = {.macs = one.at("macs"), .parameters = one.at("parameters"), .bytes = one.at("bytes")}};
}

/// Searches slice parameters, and do nothing else to them.
json to_json(const Changes& changes) {
  auto slices = json::array();
  for (const auto& slice : changes.sliced)
    slices.push_back({{"parameter", slice.parameter}, {"axis", slice.axis}, {"kept", slice.kept}});
  return {{"sliced", slices}, {"nodes_changed", changes.nodes_changed}};
}

Changes changes_from(const json& changes) {
  Changes made{.nodes_changed = changes.at("nodes_changed")};
  for (const auto& slice : changes.at("sliced"))
    made.sliced.push_back({.parameter = slice.at("parameter"), .axis = slice.at("axis"), .kept = slice.at("kept")});
  return made;
}

std::string ratio(int64_t now, int64_t before) {
  return before == 0 ? "1" : fmt::format("{:.6f}", static_cast<double>(now) / static_cast<double>(before));
}

}  // namespace

std::string RecordFiles::csv(const Record& record) const {
  Table table({"iteration", metric_, "loss", "group", "removed", "channels", "macs", "normalized_macs", "parameters",
               "normalized_parameters", "bytes", "candidates"});
  const auto& start = record.iterations.front().size;
  for (const auto& one : record.iterations)
    table.row({std::to_string(one.number), fmt::format("{:.6g}", one.score.metric),
               fmt::format("{:.6g}", one.score.loss), one.unit, std::to_string(one.removed),
               std::to_string(one.channels), std::to_string(one.size.macs), ratio(one.size.macs, start.macs),
               std::to_string(one.size.parameters), ratio(one.size.parameters, start.parameters),
               std::to_string(one.size.bytes), std::to_string(one.candidates)});
  return table.csv();
}

void RecordFiles::save(const Record& record) const {
  if (folder_.empty()) return;
  auto iterations = json::array();
  for (const auto& one : record.iterations) iterations.push_back(to_json(one));
  std::filesystem::create_directories(folder_);
  io::save_checkpoint(folder_ / "best", {.graph = record.graph.clone(),
                                         .tensors = {},
                                         .state = {{"origin", origin_},
                                                   {"iterations", iterations},
                                                   {"changes", to_json(record.changes)},
                                                   {"finished", record.finished},
                                                   {"unmet", record.unmet}}});
  write_file(folder_ / "search.csv", csv(record));
}

std::optional<Record> RecordFiles::load() const {
  if (folder_.empty() || !std::filesystem::exists(folder_ / "best")) return {};
  auto checkpoint = io::load_checkpoint(folder_ / "best");
  const auto& state = checkpoint.state;
  if (state.value("origin", "") != origin_) return {};
  Record record{.graph = std::move(checkpoint.graph),
                .changes = changes_from(state.at("changes")),
                .finished = state.at("finished"),
                .unmet = state.at("unmet")};
  for (const auto& one : state.at("iterations")) record.iterations.push_back(iteration_from(one));
  return record;
}

}  // namespace compress::search
