#pragma once

#include "core/error.h"
#include "core/text.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

/// One registered component: a class that users name in a recipe.
template <class T>
struct Entry {
  std::string_view name;  ///< as written in YAML
  std::string_view doc;   ///< one line: what it does
  std::unique_ptr<T> (*make)();
};

/// The components of one kind. A registry is an explicit table (`*.def`): one line per entry, read by C++ and by Meson.
template <class T>
class Registry {
public:
  constexpr Registry(std::string_view kind, std::span<const Entry<T>* const> entries)
      : kind_(kind), entries_(entries) {}

  std::string_view kind() const { return kind_; }
  std::span<const Entry<T>* const> entries() const { return entries_; }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto* entry : entries_) names.emplace_back(entry->name);
    return names;
  }
  const Entry<T>* find(std::string_view name) const {
    for (const auto* entry : entries_)
      if (entry->name == name) return entry;
    return nullptr;
  }
  /// Throws a request error with the nearest name, or with all names.
  std::unique_ptr<T> make(std::string_view name) const {
    if (const auto* entry = find(name)) return entry->make();
    throw request_error("unknown {} '{}'", kind_, name).hint(did_you_mean_or_allowed(name, names()));
  }

private:
  std::string_view kind_;
  std::span<const Entry<T>* const> entries_;
};

template <class Base, class Derived>
std::unique_ptr<Base> make_component() {
  return std::make_unique<Derived>();
}

}  // namespace compress
