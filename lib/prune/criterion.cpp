#include "prune/criterion.h"

namespace compress::prune {

#define ENTRY(name) extern const Entry<Criterion> name##_criterion;
#include "prune/criterion/criteria.def"
#undef ENTRY

const Registry<Criterion>& criteria() {
#define ENTRY(name) &name##_criterion,
  static constexpr const Entry<Criterion>* kEntries[] = {
#include "prune/criterion/criteria.def"
  };
#undef ENTRY
  static constexpr Registry<Criterion> kRegistry("criterion", kEntries);
  return kRegistry;
}

}  // namespace compress::prune
