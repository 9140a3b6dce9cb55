#include "prune/gradient_criterion.h"

#include "support/check_error.h"
#include "unit/prune/data_driven.h"

#include <ATen/ops/tensor.h>

#include <limits>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;
using compress::test::require_error;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("gradient: a structure is as strong as its sum of weight times the last gradient", "[prune]") {
  Judge judge("gradient", "filter");
  REQUIRE_FALSE(judge.criterion->ready());
  judge.see({9, 9, 9, 9});
  judge.see({1, -1, 2, 0.5});  // weights 1, 2, 3, 4 in rows of two
  REQUIRE(judge.criterion->ready());
  REQUIRE(judge.strengths() == Numbers{-1, 8});
}

TEST_CASE("gradient: filters that were removed stay weaker than those with a negative sum", "[prune]") {
  Judge judge("gradient", "filter");
  judge.graph.assign("fc.weight", at::tensor({0.f, 0.f, 1.f, 1.f}).view({2, 2}).set_requires_grad(true));
  judge.see({5, 5, -3, 0});
  const auto strengths = judge.strengths();
  REQUIRE(strengths[0] < strengths[1]);
  REQUIRE(strengths[1] == -3);
}

TEST_CASE("taylor: squares of a structure's sums are added up over mini-batches", "[prune]") {
  Judge judge("taylor", "filter", "decay: 1, steps: 2");
  judge.see({1, 1, 0, 1});
  REQUIRE_FALSE(judge.criterion->ready());
  judge.see({-2, 1, 0, 1});
  REQUIRE(judge.criterion->ready());
  REQUIRE(judge.strengths() == Numbers{9, 32});  // 3^2 + 0^2, 4^2 + 4^2
}

TEST_CASE("taylor: magnitudes instead of squares, single weights, and old mini-batches that fade", "[prune]") {
  Judge sums("taylor", "filter", "order: absolute, decay: 0.5");
  sums.see({1, 1, 0, 1});
  sums.see({-2, 1, 0, -1});
  REQUIRE(sums.strengths() == Numbers{1.5, 6});  // |3| / 2 + |0|, |4| / 2 + |-4|
  Judge weights("taylor", "element", "decay: 1");
  weights.see({1, 1, 0, -1});
  weights.see({2, 0, 1, 0});
  REQUIRE(weights.strengths() == Numbers{5, 4, 9, 16});
}

TEST_CASE("movement: weights that grow are strong, whatever their size", "[prune]") {
  Judge judge("movement", "element");
  judge.see({1, -1, 0, 1});
  judge.see({1, -1, 0, -2});
  REQUIRE(judge.strengths() == Numbers{-2, 4, 0, 4});
}

TEST_CASE("snip: the first mini-batch alone decides", "[prune]") {
  Judge judge("snip", "element");
  judge.see({1, -1, 0, 0.5});
  judge.see({7, 7, 7, 7});
  REQUIRE(judge.strengths() == Numbers{1, 2, 0, 2});
}

TEST_CASE("gradient criteria: what float16 could not hold counts as nothing", "[prune]") {
  Judge judge("movement", "element");
  judge.see({1, kNan, std::numeric_limits<float>::infinity(), 1});
  REQUIRE(judge.strengths() == Numbers{-1, 0, 0, -4});
}

TEST_CASE("gradient criteria: what was observed is saved and follows a sliced and renamed weight", "[prune]") {
  for (const auto* name : {"gradient", "taylor", "movement", "snip"})
    for (const auto* granularity : {"element", "filter", "channel"}) {
      INFO(name << " " << granularity);
      Judge judge(name, granularity), resumed(name, granularity);
      judge.see({1, 2, 3, 4});
      resumed.criterion->load(judge.criterion->save());
      REQUIRE(resumed.strengths() == judge.strengths());

      const auto before = judge.strengths();
      Changes changes;
      changes.renamed.emplace_back("fc.weight", "head.weight");
      changes.sliced.push_back({"head.weight", 0, {1}});
      judge.graph.rename_parameter("fc.weight", "head.weight");
      judge.graph.assign("head.weight", judge.graph.parameter("head.weight").value.detach().slice(0, 1, 2).clone());
      judge.criterion->apply(changes);
      judge.weight = "head.weight";
      resumed.graph.assign("fc.weight", judge.graph.parameter("head.weight").value);
      const auto after = judge.strengths();
      if (std::string(granularity) == "filter") REQUIRE(after == Numbers{before[1]});
      if (std::string(granularity) == "element") REQUIRE(after == Numbers{before[2], before[3]});
    }
}

TEST_CASE("gradient criteria: weights without gradients are named", "[prune]") {
  Judge judge("snip", "element");
  require_error([&] { judge.strengths(); }, "no gradient of 'fc.weight' was seen", "training.freeze");
  judge.graph.parameter("fc.weight").trainable = false;
  Problems problems;
  judge.bind(problems);
  require_error([&] { problems.raise(); }, "'fc.weight' takes no gradients");
}
