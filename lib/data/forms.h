#pragma once

#include "data/dataset.h"

#include <nlohmann/json.hpp>

namespace compress::data {

// The arguments of data sets that are a map or the word 'none'.

/// Mean and standard deviation per channel; both empty: none.
struct Normalization {
  std::vector<double> mean, std;
};
Field normalization_field(std::function<void(Normalization)> set, std::function<std::optional<Normalization>()> get);

Field augmentation_field(std::function<void(Augmentation)> set, std::function<std::optional<Augmentation>()> get);

/// Two numbers [low, high], not falling, each inside `range`.
Field interval_field(std::string name, std::string doc, double& low, double& high, Range range);

/// How a map with a declaration of its own is read and printed.
struct MapForm {
  std::string name, doc;
  std::function<void(const Yaml& map)> set;
  std::function<void()> clear;
  std::function<Yaml()> print;  ///< null when absent
  std::function<nlohmann::json()> schema;
};
/// The map, or the word 'none' (which clears).
Field map_or_none_field(MapForm form);

/// A component's part that is switched on by giving its map of arguments (perhaps empty).
template <class T>
Field optional_part(std::string name, std::string doc, std::optional<T>& target) {
  const auto set = [&target, name](const Yaml& map) {
    T read;
    Settings settings;
    read.declare(settings);
    settings.read(map, name);
    target = read;
  };
  const auto print = [&target] {
    if (!target) return Yaml{};
    Settings settings;
    target->declare(settings);
    return settings.print();
  };
  const auto schema = [] {
    T any;
    Settings settings;
    any.declare(settings);
    return settings.schema();
  };
  return map_or_none_field({std::move(name), std::move(doc), set, [&target] { target.reset(); }, print, schema});
}

}  // namespace compress::data
