// What calibration may meet that it was not made for: nothing, constants, zeros, numbers that are none.
#include "quant/observer/observer.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

#include <limits>

using namespace compress;
using namespace compress::test;

namespace {

/// Every observer, with the arguments that it cannot do without.
std::vector<std::string> all_observers() {
  std::vector<std::string> words;
  for (const auto* entry : quant::observers().entries()) {
    const std::string name(entry->name);
    words.push_back(name == "n_std" ? "{class: n_std, n: 2}" : name == "lp_norm" ? "{class: lp_norm, p: 3}" : name);
  }
  return words;
}

at::Tensor quantised_output(Graph graph, const std::string& arguments, const at::Tensor& seen, const at::Tensor& x) {
  quantize(graph, "PostTrainQuantizer", arguments, calibration_of({seen}));
  quant::finish(graph);
  return evaluated(graph, x);
}

void set_value(Graph& graph, const std::string& parameter, double value) {
  graph.assign(parameter, at::full(graph.parameter(parameter).value.sizes(), value));
}

}  // namespace

TEST_CASE("bad calibration: all-zero and constant values have a grid, with every observer") {
  const auto x = random_tensor({4, 3, 8, 8}, 3);
  for (const auto& word : all_observers())
    for (const double value : {0.0, 1.0, -2.5, 1e-30, 1e30}) {
      INFO(word << " of " << value);
      const auto seen = at::full({4, 3, 8, 8}, value);
      const auto y = quantised_output(filled_graph(kSkip), "{observer: " + word + "}", seen, x);
      REQUIRE(y.isfinite().all().item<bool>());
    }
}

TEST_CASE("bad calibration: a constant input is on its grid") {
  const auto graph = filled_graph(kSkip);
  const auto x = at::full({2, 3, 8, 8}, 0.7);
  const auto y = quantised_output(graph.clone(), "{bits_weights: 16, bits_activations: 16}", x, x);
  REQUIRE(y.allclose(evaluated(graph, x), 1e-3, 1e-3));
}

TEST_CASE("bad calibration: weights that are all zero stay zero") {
  for (const std::string per_channel : {"true", "false"}) {
    auto graph = filled_graph(kSkip);
    set_value(graph, "d.weight", 0);
    const auto x = random_tensor({4, 3, 8, 8}, 3);
    const auto expected = evaluated(graph, x);
    const auto y = quantised_output(std::move(graph), "{per_channel_weights: " + per_channel + "}", x, x);
    REQUIRE(y.isfinite().all().item<bool>());
    REQUIRE(y.allclose(expected, 0.1, 0.1));
  }
}

TEST_CASE("bad calibration: NaN and infinities are said of the value that holds them") {
  const auto x = random_tensor({4, 3, 8, 8}, 3);
  const auto refused = [&](const std::string& parameter, double value, const std::string& message) {
    auto graph = filled_graph(kSkip);
    set_value(graph, parameter, value);
    require_error([&] { quantize(graph, "PostTrainQuantizer", "{}", calibration_of({x})); }, message);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  refused("a.bias", infinity, "value 'a_relu' is not finite during calibration: sample 0 holds NaN or infinity");
  auto broken = x.clone();
  broken[2][1][0][0] = nan;
  require_error([&] { quantised_output(filled_graph(kSkip), "{}", broken, x); },
                "value 'input' is not finite during calibration: sample 2 holds NaN or infinity",
                "check the model's weights and the normalisation of the data");
}

TEST_CASE("bad calibration: weights that are not finite are refused by name") {
  auto graph = filled_graph(kSkip);
  set_value(graph, "head.weight", std::numeric_limits<double>::quiet_NaN());
  require_error(
      [&] {
        quantize(graph, "PostTrainQuantizer", "{}", calibration_of({random_tensor({4, 3, 8, 8}, 3)}));
      },
      "head.weight");
}

TEST_CASE("bad calibration: nothing at all, and less than a batch") {
  require_error(
      [] {
        quantised_output(filled_graph(kSkip), "{}", at::zeros({0, 3, 8, 8}), at::zeros({1, 3, 8, 8}));
      },
      "calibration got no sample", "training split that is not empty");
  auto graph = filled_graph(kSkip);
  require_error([&] { quantize(graph, "PostTrainQuantizer", "{}", calibration_of({})); }, "calibration got no sample");
  const auto one = random_tensor({1, 3, 8, 8}, 3);
  REQUIRE(quantised_output(filled_graph(kSkip), "{calibration_samples: 512}", one, one).isfinite().all().item<bool>());
}
