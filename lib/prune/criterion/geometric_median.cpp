// He et al. 2019, arXiv 1811.00250 (FPGM): a structure near the middle of all others is one that they can stand for.
#include "prune/criterion.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cdist.h>

namespace compress::prune {

namespace {

/// Every structure is compared with every other.
constexpr int64_t kMost = 16384;

class GeometricMedian final : public Criterion {
public:
  void bind(const Graph& graph,
            const std::vector<std::string>& parameters,
            const analysis::Granularity& granularity,
            Problems& problems) override {
    for (const auto& name : parameters) {
      const auto structures = granularity.gather(graph.parameter(name).value.detach());
      if (structures.size(1) == 1)
        problems.add(
            request_error("geometric_median compares structures of several weights; '{}' is cut into {} single "
                          "ones",
                          name, structures.size(0))
                .hint("granularity: filter or channel"));
      else if (structures.size(0) > kMost)
        problems.add(request_error("geometric_median compares each structure with each other one, and the {} of '{}' "
                                   "are more than {}",
                                   structures.size(0), name, kMost)
                         .hint("granularity: filter or channel"));
    }
  }

  at::Tensor strengths(const Candidate& candidate) const override {
    const auto structures =
        candidate.granularity.gather(candidate.graph.parameter(candidate.parameter).value.detach()).to(at::kFloat);
    std::vector<at::Tensor> sums;
    for (const auto& some : structures.split(512)) sums.push_back(at::cdist(some, structures).sum(1));
    return at::cat(sums);
  }
};

}  // namespace

extern const Entry<Criterion> geometric_median_criterion;
const Entry<Criterion> geometric_median_criterion{
    "geometric_median", "distance to all other structures: what lies in their middle goes first (FPGM, He et al. 2019)",
    make_component<Criterion, GeometricMedian>};

}  // namespace compress::prune
