#include "exec/rounded_addition.h"

#include "training.h"

using namespace compress;
using namespace compress::test;

namespace {

Graph sum_of(const std::string& lines, const std::string& other = "b: float[N,4,6,7]") {
  std::string parameters;
  for (const char* part : {"scale", "zero_point", "range_min", "range_max", "steps"})
    parameters += std::string("parameter q.") + part + ": float[] fixed\n";
  auto graph =
      network("graph g(a: float[N,4,6,7], " + other + ") -> (y = y)\n" + parameters + "s = Add(a, b)\n" + lines);
  for (const char* part : {"range_min", "range_max", "steps", "zero_point"})
    graph.parameter(std::string("q.") + part).value.zero_();
  return graph;
}

std::string quantised(const std::string& value, const std::string& attributes) {
  return "q = FakeQuantize(" + value +
         ", %q.scale, %q.zero_point, %q.range_min, %q.range_max, %q.steps) method=\"ema\" " + attributes +
         "\ny = Mul(q, a)\n";
}

const exec::Tensors kInputs{image({7, 4, 6, 7}), image({7, 4, 6, 7}, 3)};

}  // namespace

TEST_CASE("rounded addition: training steps equal those of single kernels", "[exec]") {
  require_same_training(sum_of("r = Relu(s)\n" + quantised("r", "bits=8 symmetric=0 signed=0")), kInputs, 2, 1e-6);
  require_same_training(sum_of(quantised("s", "bits=8 symmetric=0")), kInputs, 2, 1e-6);
  require_same_training(sum_of(quantised("s", "bits=3")), kInputs, 2, 1e-6);
}

TEST_CASE("rounded addition: the gradient stops where the grid clips", "[exec]") {
  auto graph = sum_of("r = Relu(s)\n" + quantised("r", "bits=8 symmetric=0"));
  // a range that has been followed for long and is smaller than the batch's
  graph.parameter("q.range_max").value.fill_(0.5);
  graph.parameter("q.steps").value.fill_(5000);
  require_same_training(graph, kInputs, 2, 1e-6);
}

TEST_CASE("rounded addition: additions that broadcast, and those without a quantiser, stay apart", "[exec]") {
  require_same_training(sum_of("r = Relu(s)\n" + quantised("r", "bits=8"), "b: float[N,4,1,1]"),
                        {kInputs[0], image({7, 4, 1, 1}, 3)}, 4, 1e-6);
  const exec::Plan plan(sum_of("y = Relu(s)\n"), {.mode = ops::Mode::train});
  REQUIRE(step_count(plan) == 2);
}
