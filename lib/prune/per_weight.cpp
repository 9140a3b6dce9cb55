#include "prune/per_weight.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace compress::prune {

void PerWeight::declare(Settings& settings, const std::string& name, const std::string& doc, Range range) {
  name_ = name;
  Field field{.name = name,
              .type = "number or map of numbers",
              .doc = doc + "; or one for each weight, by name or pattern",
              .range = range.str(),
              .required = true};
  field.read = [this, range](const Yaml& value) {
    number_.reset();
    words_.clear();
    if (value.is_map())
      words_ = from_yaml<std::map<std::string, double>>(value, name_, range);
    else
      number_ = from_yaml<double>(value, name_, range);
    written_ = value;
  };
  field.print = [this] { return written_; };
  field.schema = [range] {
    double number = 0;
    std::map<std::string, double> numbers;
    Settings forms;
    forms.optional("number", number, "", range);
    forms.optional("numbers", numbers, "", range);
    return nlohmann::json{{"anyOf", {forms.fields()[0].schema(), forms.fields()[1].schema()}}};
  };
  settings.custom(std::move(field));
}

void PerWeight::bind(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) {
  if (number_) return;
  values_ = select_values(graph, words_, problems);
  if (!problems.empty()) return;
  for (const auto& weight : weights)
    if (std::ranges::find(values_.names, weight) == values_.names.end())
      problems.add(request_error("'{}' has no number for '{}'", name_, weight).hint("'*' gives one to all others"));
}

double PerWeight::of(const std::string& weight) const {
  if (number_) return *number_;
  const auto found = std::ranges::find(values_.names, weight);
  if (found == values_.names.end()) throw run_error("'{}' has no number for '{}'", name_, weight);
  return values_.values[static_cast<size_t>(found - values_.names.begin())];
}

nlohmann::json PerWeight::save() const {
  return {{"names", values_.names}, {"values", values_.values}};
}

void PerWeight::load(const nlohmann::json& state) {
  state.at("names").get_to(values_.names);
  state.at("values").get_to(values_.values);
}

}  // namespace compress::prune
