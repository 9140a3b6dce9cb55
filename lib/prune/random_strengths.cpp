#include "prune/random_strengths.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

int64_t structures_of(const Candidate& candidate) {
  return candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach()).size(0);
}

Random random_of(const Candidate& candidate, std::string_view purpose) {
  return {candidate.moment.seed,
          fmt::format("{} {}", purpose, candidate.parameter),
          {static_cast<uint64_t>(candidate.moment.epoch), static_cast<uint64_t>(candidate.moment.step)}};
}

}  // namespace compress::prune
