#pragma once

#include "core/settings.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <utility>

namespace compress::train {

/// A setting that is a map with its own declaration ({decay: 0.999, warmup: true}); absent, or null, when the target is
/// empty. `T` has declare(Settings&) and check(), which throws.
template <class T>
Field nested_settings(const std::string& name, std::optional<T>& target, std::string doc) {
  Field field{.name = name, .type = "map", .doc = std::move(doc)};
  field.read = [&target, name](const Yaml& value) {
    target.reset();
    if (value.is_null()) return;
    T read;
    Settings settings;
    read.declare(settings);
    settings.read(value, fmt::format("'{}'", name));
    try {
      read.check();
    } catch (Error& error) {
      throw error.at(value.place);
    }
    target = std::move(read);
  };
  field.print = [&target] {
    if (!target) return Yaml{};
    Settings settings;
    target->declare(settings);
    return settings.print();
  };
  field.schema = [] {
    T any;
    Settings settings;
    any.declare(settings);
    return nlohmann::json{{"anyOf", {settings.schema(), {{"type", "null"}}}}};
  };
  return field;
}

}  // namespace compress::train
