#pragma once

#include "core/random.h"
#include "prune/criterion.h"

#include <string_view>

namespace compress::prune {

/// How many structures a weight has.
int64_t structures_of(const Candidate& candidate);
/// A stream of random numbers for this weight and moment.
Random random_of(const Candidate& candidate, std::string_view purpose);

}  // namespace compress::prune
