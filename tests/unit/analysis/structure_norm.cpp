#include "analysis/structure_norm.h"

#include "support/close.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::analysis;
using namespace compress::test;

namespace {

/// The weights of Distiller's own tests of group thresholding: 2 filters, 3 channels, kernels of 3x3.
at::Tensor distiller_weight() {
  return numbers({-1.2982, 0.7574,  0.7962,  -0.6695, 1.5907,  0.2659, 0.1423,  0.3165,  -0.7629, -0.548,  -1.2718,
                  0.8286,  -0.6427, 0.3814,  -0.7988, 1.0346,  1.3023, -0.9674, -0.7951, 1.8784,  -0.5654, 0.0456,
                  -0.2849, -0.3332, -0.2367, 0.7467,  0.9212,  1.3672, 0.2993,  -0.0619, 1.8156,  0.7599,  0.1815,
                  0.4136,  1.8316,  1.7214,  0.5125,  -1.5329, 0.9257, 0.92,    0.4376,  0.5743,  -0.0097, 0.9473,
                  -0.0899, 0.2372,  2.4369,  -0.341,  -1.0595, 0.8056, -0.0357, -1.0105, -0.1451, -0.4194})
      .view({2, 3, 3, 3});
}

at::Tensor distiller_matrix() {
  return at::arange(1, 13, at::kDouble).view({4, 3});
}

struct ThresholdCase {
  const char* name;
  at::Tensor weight;
  const char* granularity;
  Norm norm;
  double threshold;
  std::vector<double> norms, map;
};

std::vector<ThresholdCase> distiller_cases() {
  return {
      {"test_kernel_thresholding",
       distiller_weight(),
       "kernel",
       Norm::l1,
       6,
       {6.5996, 7.7756, 5.8072, 8.452, 5.9499, 6.4909},
       {1, 1, 0, 1, 0, 1}},
      {"test_filter_thresholding",
       distiller_weight(),
       "filter",
       Norm::l2,
       4.7,
       {4.503835876228173, 5.215649815698903},
       {0, 1}},
      {"test_channel_thresholding_1",
       distiller_weight(),
       "channel",
       Norm::l2,
       3.7,
       {4.359253718241232, 3.639483464724081, 3.9036659347336577},
       {1, 0, 1}},
      {"test_channel_thresholding_2",
       distiller_weight(),
       "channel",
       Norm::mean_l1,
       0.7,
       {0.8362, 0.7625277777777778, 0.6832277777777778},
       {1, 1, 0}},
      {"test_row_thresholding", distiller_matrix(), "row", Norm::maximum, 7, {3, 6, 9, 12}, {0, 0, 1, 1}},
      {"test_col_thresholding", distiller_matrix(), "column", Norm::maximum, 11, {10, 11, 12}, {0, 0, 1}},
  };
}

}  // namespace

TEST_CASE("structure norms: Distiller's thresholds keep what they kept there", "[analysis]") {
  for (const auto& example : distiller_cases()) {
    INFO(example.name);
    const auto granularity = granularities().make(example.granularity);
    require_close(structure_norms(granularity->gather(example.weight), example.norm), numbers(example.norms), 1e-12);
    const auto mask = threshold_mask(example.weight, *granularity, example.norm, example.threshold);
    REQUIRE(mask.equal(granularity->scatter(numbers(example.map), example.weight.sizes())));
    // The comparison is strict, and single precision decides the same.
    const auto single = threshold_mask(example.weight.to(at::kFloat), *granularity, example.norm, example.threshold);
    REQUIRE(single.scalar_type() == at::kFloat);
    REQUIRE(single.to(at::kDouble).equal(mask));
  }
}

TEST_CASE("structure norms: the numbers stated in Distiller's tests, to what they were rounded to", "[analysis]") {
  const auto norms = [](const char* granularity, Norm norm) {
    return structure_norms(granularities().make(granularity)->gather(distiller_weight()), norm);
  };
  // Its own comment gives 8.4522 for the fourth kernel, which is 8.4520.
  require_close(norms("kernel", Norm::l1), numbers({6.5997, 7.7756, 5.8073, 8.4522, 5.9498, 6.4908}), 2.1e-4);
  require_close(norms("filter", Norm::l2), numbers({4.5039, 5.2156}), 1e-4);
  require_close(norms("channel", Norm::mean_l1), numbers({0.8362, 0.7625, 0.6832}), 1e-4);
  require_close(norms("channel", Norm::l2), numbers({4.3593, 3.6394, 3.9037}), 1e-4);
}

TEST_CASE("structure norms: each norm by hand, means over the elements", "[analysis]") {
  const auto structures = numbers({3, -4, 0, 0}).view({2, 2});
  require_close(structure_norms(structures, Norm::l1), numbers({7, 0}), 0);
  require_close(structure_norms(structures, Norm::l2), numbers({5, 0}), 0);
  require_close(structure_norms(structures, Norm::maximum), numbers({4, 0}), 0);
  require_close(structure_norms(structures, Norm::mean_l1), numbers({3.5, 0}), 0);
  require_close(structure_norms(structures, Norm::mean_l2), numbers({2.5, 0}), 0);
}

TEST_CASE("structure norms: a structure of zeros has no slope", "[analysis]") {
  const auto structures = numbers({3, -4, 0, 0}).view({2, 2}).set_requires_grad(true);
  structure_norms(structures, Norm::l2).sum().backward();
  require_close(structures.grad().flatten(), numbers({0.6, -0.8, 0, 0}), 1e-15);
}
