#pragma once

#include "io/draft.h"

#include <optional>

namespace compress::io {

/// A file exported for one fixed batch, folded with the batch made free; none when the network truly needs that size:
/// because it does not run with another one, because an output does not follow, or because an operator lets samples
/// influence each other.
std::optional<Draft> free_batch(const Draft& draft);

}  // namespace compress::io
