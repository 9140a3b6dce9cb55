#include "exec/plan.h"
#include "graph/text_form.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using ops::Mode;

namespace {

/// With a scale and a zero point that say nothing.
at::Tensor dynamically(const std::string& attributes, const at::Tensor& x, Mode mode = Mode::eval) {
  const auto number = [](double value) { return at::scalar_tensor(value, at::kFloat); };
  return run_op(node_of("y = FakeQuantize(x, %s, %z) method=\"dynamic\" " + attributes), {x, number(9), number(3)},
                mode)[0];
}

}  // namespace

TEST_CASE("FakeQuantize: dynamic takes the grid from the batch's own extremes, also in evaluation", "[ops]") {
  const auto x = numbers({-1, 0.3, 2, 4}).to(at::kFloat);
  for (const auto mode : {Mode::eval, Mode::train}) {
    const auto y = dynamically("signed=0 symmetric=0", x, mode);
    const auto step = at::scalar_tensor(5.0F / 255, at::kFloat);
    require_close(y, x.div(step).round() * step, 1e-6);
  }
  require_close(dynamically("narrow_range=1 bits=2", x), numbers({0, 0, 0, 4}), 0);
  require_close(dynamically("narrow_range=1 bits=2", x / 2), numbers({0, 0, 0, 2}), 0);
}

TEST_CASE("FakeQuantize: dynamic with averaged clips takes the mean over the samples", "[ops]") {
  const auto x = numbers({-4, 1, -2, 3}).to(at::kFloat).reshape({2, 2});
  require_close(dynamically("clip=\"average\" bits=2 narrow_range=1", x), numbers({-3.5, 0, -3.5, 3.5}).reshape({2, 2}),
                0);
  // [-3, 2] in three steps of 5/3; 0 is the third integer.
  require_close(dynamically("clip=\"average\" bits=2 signed=0 symmetric=0", x) * 3,
                numbers({-10, 5, -5, 5}).reshape({2, 2}), 1e-5);
}

TEST_CASE("FakeQuantize: what all batches' values share does not depend on how many run at a time", "[ops]") {
  const auto graph =
      parse_graph("graph g(x: float[N,2]) -> (y = y)\nparameter s: float[] fixed\nparameter z: float[] fixed\n"
                  "y = FakeQuantize(x, %s, %z) bits=4 method=\"dynamic\" narrow_range=1\n");
  auto x = at::ones({512, 2});
  x[500][0] = -70;
  const at::Tensor inputs[] = {x};
  const auto y = exec::Plan(graph).run(inputs)[0];
  REQUIRE(y[0][0].item<float>() == 0);
  REQUIRE(y[500][0].item<float>() == -70);
}

TEST_CASE("FakeQuantize: dynamic refuses what it cannot do", "[ops]") {
  const auto verify = [](const std::string& attributes) {
    ops::verify(
        parse_graph("graph g(x: float[N,2]) -> (y = y)\nparameter s: float[2] fixed\nparameter z: float[2] fixed\n"
                    "y = FakeQuantize(x, %s, %z) method=\"dynamic\" " +
                    attributes + "\n"));
  };
  verify("axis=1");
  require_error([&] { verify("clip=\"average\" axis=1"); }, "attribute 'clip' is 'average'");
  require_error([&] { verify("clip=\"median\" axis=1"); }, "clip");
}
