#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "schedule/policy.h"

#include <memory>
#include <string>
#include <vector>

namespace compress::schedule {

/// One entry of `policies:` with the component that it names.
struct PolicyEntry {
  std::string kind;        ///< "pruner"
  std::string instance;    ///< "filters"
  std::string class_name;  ///< "L1RankedStructureParameterPruner"
  Window window;
  Yaml component;  ///< the instance's entry in its section
  Yaml args;       ///< the policy's own
  Place place;
};

/// Adds the place where the first word that the message, or else its context, quotes stands in `entry`, or the entry's
/// own. Components know no places: their messages quote what is wrong.
Error with_place(Error error, const Yaml& entry);

/// The `class:` of a component's entry. `what` names the entry ("pruner 'filters'").
std::string class_of(const Yaml& entry, const std::string& what);

/// Reads an entry's arguments. A single word where a list of text is expected is a list of one, as Distiller writes it.
void read_arguments(const Settings& settings,
                    const Yaml& entry,
                    const std::string& owner,
                    const std::vector<std::string>& skip);

/// Makes and reads the component that an entry describes. `skip` are keys that the caller reads itself.
template <class T>
std::unique_ptr<T> read_component(const Registry<T>& registry,
                                  const Yaml& entry,
                                  const std::string& instance,
                                  std::vector<std::string> skip = {}) {
  const auto name = class_of(entry, fmt::format("{} '{}'", registry.kind(), instance));
  Problems problems;
  std::unique_ptr<T> component;
  problems.capture([&] { component = registry.make(name); });
  for (const auto& error : problems.errors()) throw with_place(error, entry);
  Settings settings;
  component->declare(settings);
  skip.emplace_back("class");
  read_arguments(settings, entry, fmt::format("{} '{}'", name, instance), skip);
  return component;
}

/// Runs `check` and places its error in the entry.
template <class Check>
void check_in(const Yaml& entry, Check&& check) {
  Problems problems;
  problems.capture(check);
  for (const auto& error : problems.errors()) throw with_place(error, entry);
}

}  // namespace compress::schedule
