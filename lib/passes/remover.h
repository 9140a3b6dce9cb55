#pragma once

#include "passes/pass.h"

#include <memory>

namespace compress::passes {

/// Distiller's `thinning_func_str`: what a remover looks for.
enum class Removal {
  filters,   ///< zero filters, with the bias and batch-norm behind them
  channels,  ///< filters that nobody reads, since the next layer's channels are zero
  both
};

/// Distiller's structure removers, as the pass `thin` with their arguments.
std::unique_ptr<Pass> make_remover(Removal removal);

}  // namespace compress::passes
