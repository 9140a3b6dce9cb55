#include "distill/distiller.h"

namespace compress::distill {

#define ENTRY(name) extern const Entry<Distiller> name;
#include "distill/distillers.def"
#undef ENTRY

const Registry<Distiller>& distillers() {
#define ENTRY(name) &name,
  static constexpr const Entry<Distiller>* kEntries[] = {
#include "distill/distillers.def"
  };
#undef ENTRY
  static constexpr Registry<Distiller> kRegistry("distiller", kEntries);
  return kRegistry;
}

}  // namespace compress::distill
