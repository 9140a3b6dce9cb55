#include "data/dataset.h"

namespace compress::data {

#define ENTRY(name) extern const Entry<Format> name;
#include "data/formats.def"
#undef ENTRY

const Registry<Format>& formats() {
  static constexpr const Entry<Format>* kEntries[] = {
#define ENTRY(name) &name,
#include "data/formats.def"
#undef ENTRY
  };
  static constexpr Registry<Format> kRegistry("data format", kEntries);
  return kRegistry;
}

}  // namespace compress::data
