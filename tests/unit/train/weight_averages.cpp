#include "train/weight_averages.h"

#include "small_graphs.h"
#include "support/check_error.h"

#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

/// fc.bias of both units.
void set_bias(Graph& graph, double value) {
  graph.assign("fc.bias", at::full({2}, value, at::kFloat));
}
double bias_of(const Graph& graph, int64_t unit = 0) {
  return graph.parameter("fc.bias").value[unit].item<double>();
}

double averaged(const Graph& graph, const WeightAverages& averages) {
  Graph copy = graph.clone();
  averages.put_into(copy);
  return bias_of(copy);
}

TEST_CASE("averages: the first value counts whole, each later one by 1 - decay", "[train]") {
  Graph graph = linear_net();
  WeightAverages averages({.decay = 0.75, .warmup = false});
  REQUIRE(averaged(graph, averages) == bias_of(graph));
  double expected = 1;
  for (const double value : {1., 2., -3.}) {
    set_bias(graph, value);
    averages.update(graph);
    expected += 0.25 * (value - expected);
    REQUIRE(averaged(graph, averages) == Approx(expected));
    REQUIRE(bias_of(graph) == value);
  }
  REQUIRE(averages.updates() == 3);
}

TEST_CASE("averages: with warm-up early values count more", "[train]") {
  Graph graph = linear_net();
  WeightAverages averages({.decay = 0.999, .warmup = true});
  double expected = 0;
  for (int n = 0; n < 4; ++n) {
    set_bias(graph, n);
    averages.update(graph);
    if (n > 0) expected += (1 - (1.0 + n) / (10 + n)) * (n - expected);
    REQUIRE(averaged(graph, averages) == Approx(expected));
  }
}

TEST_CASE("averages: masked weights stay zero", "[train]") {
  Graph graph = linear_net();
  WeightAverages averages({.decay = 0.5, .warmup = false});
  set_bias(graph, 1);
  averages.update(graph);
  graph.parameter("fc.bias").mask = at::tensor({0., 1.}, at::kFloat);
  averages.put_into(graph);
  REQUIRE(bias_of(graph, 0) == 0);
  REQUIRE(bias_of(graph, 1) == 1);
}

TEST_CASE("averages: grids that follow what they quantise go with them as they are, learned ones are averaged",
          "[train]") {
  auto graph = parse_graph(R"(graph quantised(input: float[N,2]) -> (output = fc)
parameter fc.weight: float[2,2]
parameter scale: float[]
parameter learned: float[]
parameter zero_point: float[] fixed
parameter steps: float[] fixed
q = FakeQuantize(input, %learned, %zero_point) bits=8 method="lsq"
other = FakeQuantize(q, %scale, %steps) bits=8
fc = Gemm(other, %fc.weight) transB=1
)");
  graph.parameter("scale").trainable = false;
  WeightAverages averages({.decay = 0.5, .warmup = false});
  for (const double value : {1.0, 4.0}) {
    for (const char* name : {"scale", "learned", "zero_point", "steps"})
      graph.assign(name, at::full({}, value, at::kFloat));
    averages.update(graph);
  }
  averages.put_into(graph);
  REQUIRE(graph.parameter("learned").value.item<double>() == 2.5);
  for (const char* name : {"scale", "zero_point", "steps"}) REQUIRE(graph.parameter(name).value.item<double>() == 4);
}

TEST_CASE("averages: they follow slices, renames and removals, and what is new begins with its value", "[train]") {
  Graph graph = linear_net();
  WeightAverages averages({.decay = 0.5, .warmup = false});
  graph.assign("fc.bias", at::tensor({1., 2.}, at::kFloat));
  averages.update(graph);
  graph.assign("fc.bias", at::tensor({4.}, at::kFloat));
  require_error([&] { averages.update(graph); }, "the average of 'fc.bias' is 2, but the parameter is 1 now",
                "State::apply");
  averages.apply({.sliced = {{.parameter = "fc.bias", .axis = 0, .kept = {1}}}, .removed = {"fc.weight"}});
  REQUIRE(averages.tensors().size() == 1);
  averages.update(graph);
  REQUIRE(averaged(graph, averages) == Approx(3));
  REQUIRE(averages.tensors().at("fc.weight").equal(graph.parameter("fc.weight").value));
  averages.apply({.renamed = {{"fc.bias", "head.bias"}}});
  REQUIRE(averages.tensors().contains("head.bias"));
}

TEST_CASE("averages: validation and the end of training see them, training does not", "[train]") {
  const auto run = [](bool apply) {
    Setup setup(conv_net(), "synthetic", "{lr: 0.05}");
    setup.config.ema = EmaConfig{.decay = 0.9, .apply = apply};
    auto trainer = setup.trainer(2);
    trainer.run();
    const auto raw = weights_of(setup.graph);
    const auto validated = metric(trainer.state().validation, "loss");
    const auto result = trainer.result();
    const auto again = evaluate(result, setup.data.validation, *setup.task, {.batch_size = 64});
    REQUIRE(metric(again.metrics, "loss") == Approx(validated));
    REQUIRE(trainer.averages()->updates() == 16);
    REQUIRE((weights_of(result) == raw) == !apply);
    trainer.take_averages();
    REQUIRE(weights_of(setup.graph) == weights_of(result));
    return raw;
  };
  REQUIRE(run(true) == run(false));
}

TEST_CASE("averages: a run that goes on from a saved epoch has the same averages", "[train]") {
  const auto setup_of = [](Graph graph) {
    Setup setup(std::move(graph), "synthetic");
    setup.config.ema = EmaConfig{.decay = 0.95};
    return setup;
  };
  auto whole = setup_of(conv_net()), first = setup_of(conv_net());
  auto whole_trainer = whole.trainer(2), first_trainer = first.trainer(1);
  whole_trainer.run();
  first_trainer.run();
  auto rest = setup_of(first.graph.clone());
  rest.optimizer->load_state(first.optimizer->state());
  auto rest_trainer = rest.trainer(2);
  rest_trainer.load(first_trainer.save());
  rest_trainer.run(1);
  REQUIRE(weights_of(rest_trainer.result()) == weights_of(whole_trainer.result()));
  REQUIRE(rest_trainer.averages()->updates() == 16);
}

}  // namespace
}  // namespace compress::train
