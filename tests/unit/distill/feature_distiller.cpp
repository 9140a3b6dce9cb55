#include "unit/distill/support.h"

using namespace compress;
using namespace compress::distill;
using namespace compress::distill::test;
using compress::test::require_error;

namespace {

const char* const kFeatureClasses[] = {"AttentionTransfer", "HintDistillation", "RelationalDistillation"};

}  // namespace

TEST_CASE("feature distillers: values that do not exist get the nearest name", "[distill]") {
  FeatureWorld world;
  for (const char* name : kFeatureClasses) {
    const auto distiller = made(name, "{teacher: big, values: {ss: poold}}");
    require_error([&] { bind_to(*distiller, world.graph, 0, teacher_of(4)); }, "'ss' is no value of the network",
                  "did you mean 's'?", "'poold' is no value of the teacher 'big'", "did you mean 'pooled'?");
  }
  const auto weight = made("HintDistillation", "{teacher: big, values: {s.weight: t}}");
  require_error([&] { bind_to(*weight, world.graph, 0, teacher_of(4)); }, "'s.weight' is no value of the network");
}

TEST_CASE("feature distillers: without pairs there is nothing to compare", "[distill]") {
  for (const char* name : kFeatureClasses) {
    require_error([&] { made(name, "{teacher: big, values: {}}")->check(0); },
                  "'values' is empty: there is nothing to compare");
    require_error([&] { made(name, "{teacher: big}"); }, "missing 'values'");
    require_error([&] { made(name, "{teacher: big, values: {s: t}, weight: -1}"); }, "'weight' must be a number");
    require_error([&] { made(name, "{teacher: big, values: {s: t}, teacher_epoch: 1}")->check(1); },
                  "'teacher_epoch' goes with 'teacher: self' only, not with teacher 'big'");
  }
}

TEST_CASE("feature distillers: several pairs add up", "[distill]") {
  FeatureWorld world;
  const auto loss = [&](const std::string& values) {
    const auto distiller = made("AttentionTransfer", "{teacher: big, values: " + values + "}");
    bind_to(*distiller, world.graph, 0, teacher_of(4));
    world.forward();
    world.state.values["input"] = world.state.inputs[0];
    distiller->before_backward_pass(world.state);
    return world.state.loss.item<double>();
  };
  REQUIRE(loss("{s: t, input: pooled}") == Approx(loss("{s: t}") + loss("{input: pooled}")));
}

TEST_CASE("feature distillers: the network as its own teacher is compared under the same names", "[distill]") {
  for (const char* name : kFeatureClasses) {
    FeatureWorld world;
    const auto distiller = made(name, "{teacher: self, values: {s: s}}");
    bind_to(*distiller, world.graph, 2, no_teacher);
    require_error([&] { distiller->before_backward_pass(world.state); }, "training did not pass epoch 2");
    world.state.epoch = 2;
    distiller->before_epoch(world.state);
    const auto weight = world.graph.parameter("s.weight").value.view({2, 2});
    world.state.values["s"] = weight.matmul(world.state.inputs[0].flatten(2)).view({3, 2, 4, 4});
    world.graph.assign("s.weight", at::zeros({2, 2, 1, 1}));
    distiller->before_backward_pass(world.state);
    REQUIRE(world.state.loss.item<double>() == Approx(0).margin(1e-8));
  }
}

TEST_CASE("feature distillers: a value that a pass has removed is named", "[distill]") {
  FeatureWorld world;
  const auto distiller = made("AttentionTransfer", "{teacher: big, values: {s: t}}");
  bind_to(*distiller, world.graph, 0, teacher_of(4));
  world.graph.rename_node("s", "other");
  require_error([&] { distiller->observed(world.state); },
                "the network has no value 's' any more, which AttentionTransfer compares with the teacher's");
}
