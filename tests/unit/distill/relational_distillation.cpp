// The numbers are those of feature_values.py.
#include "unit/distill/support.h"

using namespace compress;
using namespace compress::distill;
using namespace compress::distill::test;
using compress::test::require_error;

TEST_CASE("relational distillation: loss and gradient are those of the paper", "[distill]") {
  FeatureWorld world;
  const auto step = [&](const std::string& weights, double loss, double gradient) {
    const auto distiller = made("RelationalDistillation", "{teacher: big, values: {s: t}, " + weights + "}");
    bind_to(*distiller, world.graph, 0, teacher_of(4));
    require_step(*distiller, world, loss, gradient);
  };
  step("distance_wt: 1, angle_wt: 0", 0.1554944624, -0.0007092139899);
  step("distance_wt: 0, angle_wt: 1", 0.1472462726, -0.001168723282);
  step("distance_wt: 1, angle_wt: 2", 0.1554944624 + 2 * 0.1472462726, -0.0007092139899 - 2 * 0.001168723282);
}

TEST_CASE("relational distillation: a batch of one sample adds nothing", "[distill]") {
  FeatureWorld world;
  const auto distiller = made("RelationalDistillation", "{teacher: big, values: {s: t}}");
  bind_to(*distiller, world.graph, 0, teacher_of(4));
  world.state.inputs = {world.state.inputs[0].narrow(0, 0, 1)};
  world.state.values["s"] = world.value.narrow(0, 0, 1);
  distiller->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == 0);
}

TEST_CASE("relational distillation: equal samples give no infinite gradients", "[distill]") {
  FeatureWorld world;
  const auto distiller = made("RelationalDistillation", "{teacher: big, values: {s: t}}");
  bind_to(*distiller, world.graph, 0, teacher_of(4));
  world.value = world.value.detach().narrow(0, 0, 1).repeat({3, 1, 1, 1}).set_requires_grad(true);
  world.state.values["s"] = world.value;
  distiller->before_backward_pass(world.state);
  world.state.loss.backward();
  REQUIRE(world.value.grad().isfinite().all().item<bool>());
}

TEST_CASE("relational distillation: nothing to compare is refused", "[distill]") {
  require_error(
      [] { made("RelationalDistillation", "{teacher: a, values: {s: t}, distance_wt: 0, angle_wt: 0}")->check(0); },
      "'distance_wt' and 'angle_wt' are both 0: nothing would be compared");
}
