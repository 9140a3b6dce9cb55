#include "regularize/groups.h"

#include "analysis/group_words.h"
#include "core/text.h"
#include "train/read_component.h"

#include <nlohmann/json.hpp>

namespace compress::regularize {

namespace {

using analysis::granularities;

std::string granularity_name(const std::string& word, std::string_view what) {
  if (const auto granularity = analysis::granularity_of_group(word); !granularity.empty())
    return std::string(granularity);
  if (granularities().find(word)) return word;
  auto known = granularities().names();
  for (auto& group : analysis::group_words()) known.push_back(std::move(group));
  const auto near = did_you_mean(word, known);
  throw request_error("unknown group '{}' in '{}'", word, what)
      .hint(near.empty() ? "known: " + join_words(known) + "; several are joined by '+'" : near);
}

std::shared_ptr<const analysis::Granularity> part(const Yaml& section, std::string_view what) {
  auto made = train::read_component(granularities(), section, {});
  if (made->quota())
    throw request_error("single weights are no group to penalise together in '{}'", what).at(section.place);
  return made;
}

nlohmann::json groups_schema() {
  return {{"anyOf", {{{"type", "string"}}, {{"type", "object"}}}}};
}

}  // namespace

void Groups::check(const std::string& parameter, at::IntArrayRef shape) const {
  for (const auto& granularity : parts) granularity->check(parameter, shape);
}

Groups read_groups(const Yaml& value, std::string_view what) {
  Groups groups{.written = value, .parts = {}};
  if (value.is_map()) {
    groups.parts.push_back(part(value, what));
    return groups;
  }
  Problems problems;
  for (const auto& word : split(from_yaml<std::string>(value, what), '+')) {
    problems.capture([&] {
      auto section = Yaml::map();
      section.place = value.place;
      section.set("class", Yaml::scalar(granularity_name(std::string(trim(word)), what)));
      groups.parts.push_back(part(section, what));
    });
  }
  for (auto error : problems.errors()) throw error.at(value.place);
  return groups;
}

Field groups_field(std::string name, Groups& target, std::string doc) {
  Field field{.name = name, .type = "group", .doc = std::move(doc)};
  field.read = [&target, name](const Yaml& value) { target = read_groups(value, name); };
  field.print = [&target] { return target.written; };
  field.schema = groups_schema;
  return field;
}

Field GroupRegimes::field() {
  Field field{.name = "reg_regims",
              .type = "map of lists [number, group]",
              .doc = "strength (lambda) and group by parameter name or pattern; groups: 2D, Rows, Cols, Rows+Cols, "
                     "Filters (3D), Channels, 4D, Channels+4D or a granularity",
              .required = true};
  field.read = [this](const Yaml& value) { read(value); };
  field.print = [this] {
    auto map = Yaml::map();
    for (size_t i = 0; i < words_.size(); ++i) {
      auto pair = Yaml::sequence();
      pair.items = {Yaml::scalar(fmt::format("{}", regimes_[i].strength)), regimes_[i].groups.written};
      map.set(words_[i], std::move(pair));
    }
    return map;
  };
  field.schema = [] {
    const nlohmann::json pair = {{"type", "array"},
                                 {"prefixItems", {{{"type", "number"}, {"minimum", 0}}, groups_schema()}},
                                 {"minItems", 2},
                                 {"maxItems", 2}};
    return nlohmann::json{{"type", "object"}, {"additionalProperties", pair}};
  };
  return field;
}

void GroupRegimes::read(const Yaml& value) {
  words_.clear();
  regimes_.clear();
  if (!value.is_map())
    throw request_error("'reg_regims' must be a map {{PARAMETER: [strength, group]}}, not {}", value.kind_name())
        .at(value.place);
  Problems problems;
  for (size_t i = 0; i < value.items.size(); ++i)
    problems.capture([&] {
      const auto& pair = value.items[i];
      const auto what = fmt::format("reg_regims.{}", value.keys[i]);
      if (!pair.is_sequence() || pair.items.size() != 2)
        throw request_error("'{}' must be a list [strength, group]", what)
            .at(pair.place)
            .hint("for instance [0.0001, Filters]");
      const auto strength = from_yaml<double>(pair.items[0], what + "[0]", at_least(0));
      regimes_.push_back({.strength = strength, .groups = read_groups(pair.items[1], what + "[1]")});
      words_.push_back(value.keys[i]);
    });
  problems.raise();
}

void GroupRegimes::bind(const Graph& graph, Problems& problems) {
  std::map<std::string, double> numbers;
  for (size_t i = 0; i < words_.size(); ++i) numbers[words_[i]] = static_cast<double>(i);
  chosen_ = select_values(graph, numbers, problems);
  for (size_t i = 0; i < chosen_.names.size(); ++i)
    problems.capture([&] { of(i).groups.check(chosen_.names[i], graph.parameter(chosen_.names[i]).value.sizes()); });
}

train::Memory GroupRegimes::save() const {
  return {.values = {{"parameters", chosen_.names}, {"regimes", chosen_.values}}, .tensors = {}};
}

void GroupRegimes::load(const train::Memory& memory) {
  memory.values.at("parameters").get_to(chosen_.names);
  memory.values.at("regimes").get_to(chosen_.values);
}

}  // namespace compress::regularize
