#include "train/precision.h"

#include "small_graphs.h"
#include "support/check_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <limits>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

TEST_CASE("precision: float16 without CUDA is refused before training", "[train]") {
  require_error([] { check_precision(Precision::float16, at::kCPU); },
                "precision 'float16' needs a CUDA device, and training is on 'cpu'", "use bfloat16 or float32");
  REQUIRE_NOTHROW(check_precision(Precision::bfloat16, at::kCPU));
  Setup setup(conv_net(), "synthetic");
  setup.config.precision = Precision::float16;
  require_error([&] { setup.trainer(1); }, "precision 'float16' needs a CUDA device");
}

TEST_CASE("precision: bfloat16 computes convolutions and products in 8 bits of mantissa, weights stay float32",
          "[train]") {
  const auto losses = [](Precision precision) {
    std::vector<double> losses;
    Setup setup(conv_net(), "synthetic", "{lr: 0.05, momentum: 0.9}");
    setup.config.precision = precision;
    auto trainer = setup.trainer(2);
    trainer.after_minibatch = [&](const State& state) {
      REQUIRE(state.outputs.at("logits").scalar_type() == at::kFloat);
      losses.push_back(state.loss.item<double>());
    };
    trainer.run();
    for (const Parameter& parameter : setup.graph.parameters()) REQUIRE(parameter.value.scalar_type() == at::kFloat);
    REQUIRE(metric(trainer.state().validation, "top1") > 60);
    return losses;
  };
  const auto exact = losses(Precision::float32), rounded = losses(Precision::bfloat16);
  REQUIRE(rounded[0] == Approx(exact[0]).epsilon(0.02));
  REQUIRE(rounded[0] != exact[0]);
  REQUIRE(losses(Precision::bfloat16) == rounded);
}

TEST_CASE("precision: the loss is scaled and the gradients are scaled back", "[train]") {
  LossScaler scaler(at::kCPU);
  REQUIRE(scaler.scaled(at::tensor(2., at::kFloat)).item<double>() == 2 * 65536);
  const auto gradient = at::tensor({65536., -131072.}, at::kFloat);
  REQUIRE(scaler.unscale({gradient}));
  REQUIRE(gradient[0].item<double>() == 1);
  REQUIRE(gradient[1].item<double>() == -2);
}

TEST_CASE("precision: a gradient that is not finite halves the scale, 2000 good steps double it", "[train]") {
  LossScaler scaler(at::kCPU);
  const auto scale = [&] { return scaler.scaled(at::tensor(1., at::kFloat)).item<double>(); };
  REQUIRE_FALSE(scaler.unscale({at::tensor({1., std::numeric_limits<double>::infinity()}, at::kFloat)}));
  scaler.update();
  REQUIRE(scale() == 32768);
  for (int step = 0; step < 1999; ++step) {
    REQUIRE(scaler.unscale({at::tensor({1.}, at::kFloat)}));
    scaler.update();
  }
  REQUIRE(scale() == 32768);
  LossScaler resumed(at::kCPU);
  resumed.load(scaler.save());
  REQUIRE(resumed.unscale({}));
  resumed.update();
  REQUIRE(resumed.scaled(at::tensor(1., at::kFloat)).item<double>() == 65536);
}

}  // namespace
}  // namespace compress::train
