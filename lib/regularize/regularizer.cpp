#include "regularize/regularizer.h"

namespace compress::regularize {

#define ENTRY(name) extern const Entry<Regularizer> name;
#include "regularize/regularizers.def"
#undef ENTRY

const Registry<Regularizer>& regularizers() {
#define ENTRY(name) &name,
  static constexpr const Entry<Regularizer>* kEntries[] = {
#include "regularize/regularizers.def"
  };
#undef ENTRY
  static constexpr Registry<Regularizer> kRegistry("regularizer", kEntries);
  return kRegistry;
}

}  // namespace compress::regularize
