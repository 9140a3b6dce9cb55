#include "prune/amount.h"

namespace compress::prune {

#define ENTRY(name) extern const Entry<Amount> name##_amount;
#include "prune/amount/amounts.def"
#undef ENTRY

const Registry<Amount>& amounts() {
#define ENTRY(name) &name##_amount,
  static constexpr const Entry<Amount>* kEntries[] = {
#include "prune/amount/amounts.def"
  };
#undef ENTRY
  static constexpr Registry<Amount> kRegistry("amount", kEntries);
  return kRegistry;
}

}  // namespace compress::prune
