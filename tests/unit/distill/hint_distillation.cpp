// The numbers are those of feature_values.py.
#include "support/close.h"
#include "unit/distill/support.h"

#include <ATen/ops/tensor.h>

using namespace compress;
using namespace compress::distill;
using namespace compress::distill::test;
using compress::test::require_close;
using compress::test::require_error;

namespace {

std::unique_ptr<Distiller> hint(const FeatureWorld& world, const std::string& arguments, int64_t channels) {
  auto distiller = made("HintDistillation", "{teacher: big, values: {s: t}" + arguments + "}");
  bind_to(*distiller, world.graph, 0, teacher_of(channels));
  return distiller;
}

}  // namespace

TEST_CASE("hints: without projection loss and gradient are those of the difference", "[distill]") {
  FeatureWorld world;
  require_step(*hint(world, "", 2), world, 0.8676395593, 0.004486750636);
  require_step(*hint(world, ", loss: smooth_l1", 2), world, 0.3937998117, -0.04160988166);
  require_step(*hint(world, ", weight: 3", 2), world, 3 * 0.8676395593, 3 * 0.004486750636);
}

TEST_CASE("hints: a projection learns by SGD with momentum, in whatever parts the mini-batch comes", "[distill]") {
  for (const int parts : {1, 3}) {
    FeatureWorld world;
    const auto distiller = hint(world, ", projection_lr: 0.2", 4);
    auto memory = distiller->save();
    memory.tensors["projection/0/weight"] = wave({4, 2}, 1.3);
    memory.tensors["projection/0/bias"] = wave({4}, 1, 1.5707963267948966);
    memory.tensors["projection/0/weight_speed"] = at::zeros({4, 2});
    memory.tensors["projection/0/bias_speed"] = at::zeros({4});
    distiller->load(memory);
    for (const auto& [loss, gradient] : {std::pair(1.409294969, 0.02751232502), {1.229054808, 0.02161083375}}) {
      if (parts == 1) require_step(*distiller, world, loss, gradient);
      const auto whole = world.state.inputs[0], value = world.value;
      for (int part = 0; parts > 1 && part < parts; ++part) {
        world.state.inputs = {whole.narrow(0, part, 1)};
        world.state.values["s"] = value.narrow(0, part, 1);
        distiller->before_backward_pass(world.state);
      }
      world.state.inputs = {whole};
      distiller->before_parameter_optimization(world.state);
    }
    const auto learnt = distiller->save().tensors;
    require_close(learnt.at("projection/0/weight"),
                  at::tensor({-0.12753349f, 0.83474807f, 0.54830164f, -0.65313564f, -0.80481098f, 0.29282754f,
                              0.81301432f, 0.13352305f})
                      .view({4, 2}),
                  1e-5);
    require_close(learnt.at("projection/0/bias"), at::tensor({0.72374433f, 0.39650678f, -0.30774302f, -0.72070284f}),
                  1e-5);
  }
}

TEST_CASE("hints: a projection begins as the seed says, and follows the learning-rate schedule", "[distill]") {
  FeatureWorld world;
  const auto first = [&](uint64_t seed, double factor, double scale = 1) {
    const auto distiller = hint(world, "", 4);
    world.forward();
    world.state.seed = seed;
    world.state.lr_factor = factor;
    world.state.lr_scale = scale;
    distiller->before_backward_pass(world.state);
    distiller->before_parameter_optimization(world.state);
    return distiller->save().tensors.at("projection/0/weight");
  };
  REQUIRE(first(1, 1).equal(first(1, 1)));
  REQUIRE_FALSE(first(1, 1).equal(first(2, 1)));
  REQUIRE_FALSE(first(1, 1).equal(first(1, 0.1)));
  REQUIRE(first(1, 1, 0.1).equal(first(1, 0.1)));
}

TEST_CASE("hints: channels that thinning removes leave the projection, or the comparison", "[distill]") {
  FeatureWorld world;
  const Changes thinned{.sliced = {{.parameter = "s.weight", .axis = 0, .kept = {1}}}};
  for (const int channels : {2, 4}) {
    const auto distiller = hint(world, "", channels);
    world.forward();
    distiller->before_backward_pass(world.state);
    distiller->before_parameter_optimization(world.state);
    const auto before = distiller->save();
    distiller->apply(thinned);
    world.state.values["s"] = world.value.detach().narrow(1, 1, 1);
    world.state.loss = at::zeros({});
    distiller->before_backward_pass(world.state);
    if (channels == 2) {
      const auto t =
          wave({2, 2, 1, 1}, 0.9, 0.2).view({2, 2}).matmul(world.state.inputs[0].flatten(2)).view({3, 2, 4, 4});
      const auto difference = t.narrow(1, 1, 1).sub(world.state.values["s"]);
      REQUIRE(world.state.loss.item<double>() == Approx(difference.square().mean().item<double>()));
    } else {
      REQUIRE(distiller->save()
                  .tensors.at("projection/0/weight")
                  .equal(before.tensors.at("projection/0/weight").narrow(1, 1, 1)));
    }
  }
}

TEST_CASE("hints: the network itself as teacher keeps the comparison of the channels that are left", "[distill]") {
  FeatureWorld world;
  const auto distiller = made("HintDistillation", "{teacher: self, values: {s: s}}");
  bind_to(*distiller, world.graph, 0, no_teacher);
  distiller->before_epoch(world.state);
  const auto weight = world.graph.parameter("s.weight").value.view({2, 2});
  const auto own = weight.matmul(world.state.inputs[0].flatten(2)).view({3, 2, 4, 4});
  distiller->apply({.sliced = {{.parameter = "s.weight", .axis = 0, .kept = {1}}}});
  world.state.values["s"] = own.narrow(1, 1, 1);
  distiller->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == Approx(0).margin(1e-10));

  const auto resumed = made("HintDistillation", "{teacher: self, values: {s: s}}");
  bind_to(*resumed, world.graph, 0, no_teacher);
  resumed->load(distiller->save());
  resumed->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == Approx(0).margin(1e-10));
}

TEST_CASE("hints: shapes that cannot match are refused", "[distill]") {
  FeatureWorld world;
  require_error([&] { hint(world, ", projection: never", 4); },
                "'s' has 2 channels, the teacher's 't' 4, and there is no projection", "projection: auto");
  const auto distiller = made("HintDistillation", "{teacher: big, values: {s: pooled}}");
  require_error([&] { bind_to(*distiller, world.graph, 0, teacher_of(4)); },
                "'s' is 2x4x4 for each sample, the teacher's 'pooled' 4x2x2: a hint needs the same places");
  require_error([] { made("HintDistillation", "{teacher: big, values: {s: t}, projection_lr: 0}"); },
                "'projection_lr' must be a number above 0, not 0");
}
