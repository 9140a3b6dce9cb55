#include "analysis/granularity.h"

namespace compress::analysis {

#define ENTRY(name) extern const Entry<Granularity> name##_granularity;
#include "analysis/granularity/granularities.def"
#undef ENTRY

const Registry<Granularity>& granularities() {
#define ENTRY(name) &name##_granularity,
  static constexpr const Entry<Granularity>* kEntries[] = {
#include "analysis/granularity/granularities.def"
  };
#undef ENTRY
  static constexpr Registry<Granularity> kRegistry("granularity", kEntries);
  return kRegistry;
}

}  // namespace compress::analysis
