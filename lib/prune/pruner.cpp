#include "prune/pruner.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace compress::prune {

#define ENTRY(name) extern const Entry<Pruner> name;
#include "prune/pruners.def"
// then Distiller's
#include "prune/distiller/presets.def"
#undef ENTRY

const Registry<Pruner>& pruners() {
#define ENTRY(name) &name,
  static constexpr const Entry<Pruner>* kEntries[] = {
#include "prune/pruners.def"
// then Distiller's
#include "prune/distiller/presets.def"
  };
#undef ENTRY
  static constexpr Registry<Pruner> kRegistry("pruner", kEntries);
  return kRegistry;
}

void set_mask(Graph& graph, const std::string& parameter, const at::Tensor& mask) {
  Parameter& target = graph.parameter(parameter);
  target.mask =
      mask.defined() ? mask.to(target.value.scalar_type()).contiguous(target.value.suggest_memory_format()) : mask;
}

void apply_mask(Graph& graph, const Parameter& parameter) {
  if (!parameter.mask.defined()) return;
  at::NoGradGuard no_grad;
  graph.writable(parameter.name).mul_(parameter.mask);
}

void require_words(const std::vector<std::string>& words, Problems& problems) {
  if (words.empty()) problems.add(request_error("'weights' is empty: there is nothing to prune"));
}

}  // namespace compress::prune
