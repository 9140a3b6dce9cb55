#include "quant/quantizer.h"

namespace compress::quant {

#define ENTRY(name) extern const Entry<Quantizer> name;
#include "quant/post_training/post_training_quantizers.def"
// then those that train
#include "quant/training/training_quantizers.def"
#undef ENTRY

const Registry<Quantizer>& quantizers() {
#define ENTRY(name) &name,
  static constexpr const Entry<Quantizer>* kEntries[] = {
#include "quant/post_training/post_training_quantizers.def"
// then those that train
#include "quant/training/training_quantizers.def"
  };
#undef ENTRY
  static constexpr Registry<Quantizer> kRegistry("quantizer", kEntries);
  return kRegistry;
}

}  // namespace compress::quant
