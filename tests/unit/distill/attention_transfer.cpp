// The numbers are those of feature_values.py.
#include "unit/distill/support.h"

using namespace compress;
using namespace compress::distill;
using namespace compress::distill::test;
using compress::test::require_error;

TEST_CASE("attention transfer: loss and gradient are those of the paper", "[distill]") {
  FeatureWorld world;
  const auto step = [&](const std::string& arguments, double loss, double gradient) {
    const auto distiller = made("AttentionTransfer", "{teacher: big, " + arguments + "}");
    bind_to(*distiller, world.graph, 0, teacher_of(4));
    REQUIRE(distiller->observed(world.state) == std::vector<std::string>{"s"});
    require_step(*distiller, world, loss, gradient);
  };
  step("values: {s: t}", 0.6200117932, 0.1534212206);
  step("values: {s: t}, power: 3", 0.8099002972, 0.2481329738);
  step("values: {s: pooled}", 0.1470749785, -0.1646448353);
  step("values: {s: t}, weight: 2", 2 * 0.6200117932, 2 * 0.1534212206);
  REQUIRE(world.state.loss_terms.front().first == "attention_loss");
  REQUIRE(world.state.loss_terms.front().second.item<double>() == Approx(0.6200117932));
}

TEST_CASE("attention transfer: a teacher of another class order of channels is as good", "[distill]") {
  FeatureWorld world;
  const auto distiller = made("AttentionTransfer", "{teacher: big, values: {s: s}}");
  bind_to(*distiller, world.graph, 0, [&](const std::string&) {
    auto turned = world.graph.clone();
    turned.assign("s.weight", turned.parameter("s.weight").value.flip(0));
    return turned;
  });
  world.state.values["s"] = world.state.inputs[0].new_zeros({3, 2, 4, 4});
  const auto weight = world.graph.parameter("s.weight").value.view({2, 2});
  world.state.values["s"] = weight.matmul(world.state.inputs[0].flatten(2)).view({3, 2, 4, 4});
  distiller->before_backward_pass(world.state);
  REQUIRE(world.state.loss.item<double>() == Approx(0).margin(1e-10));
}

TEST_CASE("attention transfer: values without places are refused", "[distill]") {
  const auto student = parse_graph("graph g(input: float[N,8]) -> (output = fc)\nparameter fc.weight: float[4,8]\n"
                                   "fc = Gemm(input, %fc.weight) transB=1\n");
  const auto distiller = made("AttentionTransfer", "{teacher: big, values: {fc: fc}}");
  require_error([&] { bind_to(*distiller, student, 0, [&](const std::string&) { return student.clone(); }); },
                "'fc' has features but no places (4 for each sample): there is no attention to transfer",
                "HintDistillation and RelationalDistillation compare features");
}
