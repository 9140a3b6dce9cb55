#include "schedule/policy.h"

#include <algorithm>

namespace compress::schedule {

void Policy::check_with(const Policy& earlier, Problems& problems) const {
  if (!window.overlaps(earlier.window)) return;
  const auto theirs = earlier.exchanges();
  for (const auto& name : exchanges())
    if (std::ranges::find(theirs, name) != theirs.end()) {
      problems.add(request_error("'{}' and '{}' both exchange '{}' for the forward pass, in the same epochs", instance,
                                 earlier.instance, name)
                       .hint("give them epochs or weights of their own"));
      return;
    }
}

}  // namespace compress::schedule
