#include "train/optimizer.h"
#include "train/read_component.h"

namespace compress::train {

#define ENTRY(name) extern const Entry<Optimizer> name;
#include "train/optimizers.def"
#undef ENTRY

const Registry<Optimizer>& optimizers() {
  static constexpr const Entry<Optimizer>* kEntries[] = {
#define ENTRY(name) &name,
#include "train/optimizers.def"
#undef ENTRY
  };
  static constexpr Registry<Optimizer> kRegistry("optimiser", kEntries);
  return kRegistry;
}

std::unique_ptr<Optimizer> make_optimizer(const Yaml& section) {
  return read_component(optimizers(), section, "SGD");
}

}  // namespace compress::train
