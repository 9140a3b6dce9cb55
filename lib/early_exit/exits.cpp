#include "early_exit/exits.h"

#include "core/log.h"
#include "core/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::early_exit {

namespace {

using nlohmann::json;

constexpr const char* kMetadata = "early_exits";

json to_json(const std::optional<int64_t>& number) {
  return number ? json(*number) : json();
}

std::optional<int64_t> number_or_none(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  return found->get<int64_t>();
}

Exits read(const json& object) {
  Exits exits{.final_output = object.at("final_output").get<std::string>(), .branches = {}};
  for (const auto& branch : object.at("branches"))
    exits.branches.push_back({.name = branch.at("name").get<std::string>(),
                              .output = branch.at("output").get<std::string>(),
                              .value = branch.at("value").get<std::string>(),
                              .kernel = number_or_none(branch, "kernel"),
                              .hidden = number_or_none(branch, "hidden"),
                              .loss_weight = branch.at("loss_weight").get<double>(),
                              .threshold = branch.at("threshold").get<double>()});
  return exits;
}

/// What does not fit the graph, or "".
std::string misfit(const Graph& graph, const Exits& exits) {
  const auto missing = [&](const std::string& name) {
    return std::ranges::find(graph.outputs, name, &GraphOutput::name) == graph.outputs.end();
  };
  if (missing(exits.final_output)) return fmt::format("the model has no output '{}'", exits.final_output);
  double weights = 0;
  for (const auto& branch : exits.branches) {
    if (missing(branch.output)) return fmt::format("the model has no output '{}'", branch.output);
    if (!(branch.threshold >= 0 && branch.threshold <= 1) || !(branch.loss_weight >= 0 && branch.loss_weight < 1))
      return fmt::format("a number of exit '{}' is out of range", branch.name);
    weights += branch.loss_weight;
  }
  return weights < 1 ? "" : "the exits' weights leave nothing for the network's own output";
}

}  // namespace

std::string exit_stem(const std::string& name) {
  return "exits." + name;
}

Exits exits_of(const Graph& graph) {
  const auto found = graph.metadata.find(kMetadata);
  if (found == graph.metadata.end()) return {};
  std::string wrong = "it is no record of exits";
  try {
    auto exits = read(json::parse(found->second));
    wrong = misfit(graph, exits);
    if (wrong.empty()) return exits;
  } catch (const json::exception&) {  // `wrong` says it
  }
  log::warning("the early exits that the metadata of '{}' speak of are left aside: {}", graph.name, wrong);
  return {};
}

void note_exits(Graph& graph, const Exits& exits) {
  auto branches = json::array();
  for (const auto& branch : exits.branches)
    branches.push_back({{"name", branch.name},
                        {"output", branch.output},
                        {"value", branch.value},
                        {"kernel", to_json(branch.kernel)},
                        {"hidden", to_json(branch.hidden)},
                        {"loss_weight", branch.loss_weight},
                        {"threshold", branch.threshold}});
  graph.metadata[kMetadata] = json{{"final_output", exits.final_output}, {"branches", branches}}.dump();
}

void set_thresholds(Graph& graph, const std::map<std::string, double>& thresholds) {
  auto exits = exits_of(graph);
  std::vector<std::string> names;
  for (const auto& branch : exits.branches) names.push_back(branch.name);
  for (const auto& [name, threshold] : thresholds) {
    const auto branch = std::ranges::find(exits.branches, name, &Exit::name);
    if (branch == exits.branches.end())
      throw request_error("'{}' has no early exit '{}'", graph.name, name)
          .hint(did_you_mean(name, names))
          .hint(names.empty() ? "it has none" : "it has " + join_words(names));
    branch->threshold = threshold;
  }
  if (!thresholds.empty()) note_exits(graph, exits);
}

}  // namespace compress::early_exit
