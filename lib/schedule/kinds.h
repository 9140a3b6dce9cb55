#pragma once

#include "schedule/component.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress::schedule {

/// A kind of component and of policy: what a recipe calls it and who makes it.
struct Kind {
  std::string_view name;     ///< key in a policy: "pruner"
  std::string_view section;  ///< where components stand: "pruners"
  std::unique_ptr<Policy> (*make)(const PolicyEntry&);
  /// Reads a component that no policy uses, to check it.
  void (*check)(const Yaml& entry, const std::string& instance);
  bool may_run_at_end = false;  ///< without epochs it acts after training
  bool may_run_before = false;  ///< without epochs it acts once, before training
};
std::span<const Kind> kinds();
/// By a policy's key ("extension" means "pass"); null for others.
const Kind* find_kind(std::string_view name);

/// Instances of each kind: kind -> name -> entry, in the order written.
struct Instances {
  struct Instance {
    const Kind* kind;
    std::string name;
    const Yaml* entry;
    Place place;
    bool used = false;
  };
  std::vector<Instance> all;

  Instance* find(const Kind& kind, std::string_view name);
  std::vector<std::string> names(const Kind& kind) const;
};

/// The component sections of a recipe. Problems: sections that are no maps, names given twice.
Instances read_instances(const Yaml& root, Problems& problems);

/// The `policies:` section. `epochs`: training.epochs when given. Problems: unknown keys, undefined instances,
/// impossible windows.
std::vector<PolicyEntry>
read_policies(const Yaml& section, Instances& instances, std::optional<int64_t> epochs, Problems& problems);

/// The window of one policy. Problems as above.
Window read_window(const Yaml& policy, const Kind& kind, std::optional<int64_t> epochs);

}  // namespace compress::schedule
