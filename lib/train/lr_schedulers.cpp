#include "train/lr_scheduler.h"

namespace compress::train {

#define ENTRY(name) extern const Entry<LrScheduler> name;
#include "train/lr_schedulers.def"
#undef ENTRY

const Registry<LrScheduler>& lr_schedulers() {
  static constexpr const Entry<LrScheduler>* kEntries[] = {
#define ENTRY(name) &name,
#include "train/lr_schedulers.def"
#undef ENTRY
  };
  static constexpr Registry<LrScheduler> kRegistry("learning-rate schedule", kEntries);
  return kRegistry;
}

}  // namespace compress::train
