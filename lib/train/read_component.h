#pragma once

#include "core/registry.h"
#include "core/settings.h"

namespace compress::train {

/// Makes a component from a map {class: NAME, arguments...}; of class `otherwise` when the map is absent or has no
/// class.
template <class T>
std::unique_ptr<T> read_component(const Registry<T>& registry, const Yaml& section, std::string_view otherwise) {
  if (!section.is_null() && !section.is_map())
    throw request_error("expected a map {{class: NAME, ...}} as {}, not {}", registry.kind(), section.kind_name())
        .at(section.place);
  const Yaml* name = section.find("class");
  std::unique_ptr<T> made;
  try {
    made = registry.make(name ? from_yaml<std::string>(*name, "class") : std::string(otherwise));
  } catch (Error& error) {
    if (error.place() == Place{} && name) error.at(name->place);
    throw;
  }
  Settings settings;
  made->declare(settings);
  settings.read(section.is_null() ? Yaml::map() : section, name ? std::string_view(name->text) : otherwise, {"class"});
  return made;
}

}  // namespace compress::train
