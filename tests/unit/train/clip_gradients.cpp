#include "train/clip_gradients.h"

#include "small_graphs.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <limits>

namespace compress::train {
namespace {

using namespace compress::train::test;

std::vector<double> numbers_of(const std::vector<at::Tensor>& tensors) {
  std::vector<double> numbers;
  for (const auto& tensor : tensors)
    for (int64_t i = 0; i < tensor.numel(); ++i) numbers.push_back(tensor.flatten()[i].item<double>());
  return numbers;
}

std::vector<at::Tensor> two_gradients() {
  return {at::tensor({3., 0.}, at::kFloat), at::tensor({-4.}, at::kFloat)};
}

TEST_CASE("clip: gradients of a larger norm are scaled down together, smaller ones stay", "[train]") {
  auto gradients = two_gradients();  // norm 5
  clip_by_norm(gradients, 2.5);
  const auto numbers = numbers_of(gradients);
  REQUIRE(numbers[0] == Approx(1.5).epsilon(1e-6));
  REQUIRE(numbers[1] == 0);
  REQUIRE(numbers[2] == Approx(-2).epsilon(1e-6));
  gradients = two_gradients();
  clip_by_norm(gradients, 5.1);
  REQUIRE(numbers_of(gradients) == numbers_of(two_gradients()));
  clip_by_norm({}, 1);
}

TEST_CASE("clip: gradients that are all zero stay zero", "[train]") {
  const std::vector<at::Tensor> gradients{at::full({3}, 0.)};
  clip_by_norm(gradients, 1);
  REQUIRE(numbers_of(gradients) == std::vector<double>{0, 0, 0});
}

TEST_CASE("clip: each number is limited", "[train]") {
  const auto gradients = two_gradients();
  clip_by_value(gradients, 3.5);
  REQUIRE(numbers_of(gradients) == std::vector<double>{3, 0, -3.5});
  clip_by_value({}, 1);
}

TEST_CASE("clip: the trainer clips what the optimiser gets", "[train]") {
  const auto largest_step = [](const char* setting, double limit) {
    struct Look : Hook {
      double norm = 0;
      void on_minibatch_end(State& state) override {
        double squares = 0;
        for (const auto& gradient : gradients(state.graph)) squares += gradient.square().sum().item<double>();
        norm = std::max(norm, std::sqrt(squares));
      }
    } look;
    Setup setup(regression_net(), "synthetic_regression", "{lr: 0.01}");
    (std::string(setting) == "norm" ? setup.config.clip_norm : setup.config.clip_value) = limit;
    setup.trainer(1, &look).run();
    return look.norm;
  };
  REQUIRE(largest_step("norm", 0.01) == Approx(0.01).epsilon(1e-3));
  REQUIRE(largest_step("norm", 1e9) > 0.1);
  REQUIRE(largest_step("value", 1e-4) < 1e-4 * 20);
}

}  // namespace
}  // namespace compress::train
