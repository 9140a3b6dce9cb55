#pragma once

#include "core/registry.h"
#include "core/settings.h"

#include <memory>
#include <string_view>

namespace compress::prune {

/// A component of a registry with these arguments (a map).
template <class T>
std::unique_ptr<T> make_part(const Registry<T>& registry, std::string_view name, const Yaml& arguments = Yaml::map()) {
  auto part = registry.make(name);
  Settings settings;
  part->declare(settings);
  settings.read(arguments, name);
  return part;
}

}  // namespace compress::prune
