#include "regularize/regularizer.h"

#include <ATen/core/Tensor.h>

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

at::Tensor plus_term(const at::Tensor& sum, const at::Tensor& term, double strength) {
  return sum.defined() ? sum.add(term, strength) : term.mul(strength);
}

}  // namespace compress::regularize
