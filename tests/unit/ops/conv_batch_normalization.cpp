#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using ops::Mode;

namespace {

const std::string kFused = "y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) pads=[1,1,1,1] momentum=0.8";
const std::string kConv = "y = Conv(x, %w, %c) pads=[1,1,1,1]";
const std::string kNorm = "y = BatchNormalization(x, %g, %b, %m, %v) momentum=0.8";

/// x, weight, conv bias, gamma (of both signs), beta, mean, variance, scale, zero point.
std::vector<at::Tensor> some_inputs() {
  return {wild({4, 3, 5, 5}),   wild({4, 3, 3, 3}, 1), wild({4}, 2),          numbers({1.2, -0.7, 0.4, -1.5}),
          wild({4}, 4),         wild({4}, 5),          wild_positive({4}, 6), numbers({1, 1, 1, 1}),
          numbers({0, 0, 0, 0})};
}

at::Tensor separate(const std::vector<at::Tensor>& in, Mode mode) {
  const auto y = run_op(node_of(kConv), {in[0], in[1], in[2]}, mode)[0];
  return run_op(node_of(kNorm), {y, in[3], in[4], in[5], in[6]}, mode)[0];
}

/// Gradients of x, weight, gamma and beta of a sum that depends on every element.
std::vector<at::Tensor> gradients(std::vector<at::Tensor>& inputs, bool fused, const std::string& attributes) {
  for (const size_t i : {0, 1, 3, 4}) inputs[i] = inputs[i].detach().clone().requires_grad_(true);
  const auto y = fused ? run_op(node_of(kFused + attributes), inputs, Mode::train)[0] : separate(inputs, Mode::train);
  y.mul(wild(y.sizes().vec(), 9)).sum().backward();
  return {inputs[0].grad(), inputs[1].grad(), inputs[3].grad(), inputs[4].grad()};
}

}  // namespace

TEST_CASE("ConvBatchNormalization: with 16 bits it trains as convolution and batch-norm", "[ops]") {
  auto fused = some_inputs(), plain = some_inputs();
  const auto fused_gradients = gradients(fused, true, " bits=16");
  const auto plain_gradients = gradients(plain, false, "");
  for (size_t i = 0; i < fused_gradients.size(); ++i) require_close(fused_gradients[i], plain_gradients[i], 2e-3);
  for (const size_t statistic : {5, 6}) require_close(fused[statistic], plain[statistic], 1e-3);
  require_close(run_op(node_of(kFused + " bits=16"), fused)[0], separate(plain, Mode::eval), 1e-3);
}

TEST_CASE("ConvBatchNormalization: its gradients are those of the quantised weight, to the bit", "[ops]") {
  // given a weight that lies on its grid, quantising changes nothing
  auto fused = some_inputs();
  fused[1] = fused[1].mul(100).round().div(127).clamp(-1, 1);
  fused[1].select(1, 0).fill_(1);
  auto plain = some_inputs();
  plain[1] = fused[1].clone();
  const auto fused_gradients = gradients(fused, true, " narrow_range=1");
  const auto plain_gradients = gradients(plain, false, "");
  for (size_t i = 0; i < fused_gradients.size(); ++i) require_close(fused_gradients[i], plain_gradients[i], 1e-9);
}

TEST_CASE("ConvBatchNormalization: evaluation uses the folded weight on the stored grid", "[ops]") {
  auto inputs = some_inputs();
  run_op(node_of(kFused + " bits=4"), inputs, Mode::train);
  const auto factor = inputs[3].div(inputs[6].add(1e-5).sqrt());
  const auto reach = inputs[1].mul(factor.reshape({4, 1, 1, 1})).flatten(1).abs().amax(1);
  require_close(inputs[7], reach.div(7.5), 1e-12);
  const auto y = run_op(node_of(kFused + " bits=4"), inputs)[0];
  const auto weight = run_op(node_of("y = FakeQuantize(%w, %s, %z) axis=0 bits=4"),
                             {inputs[1].mul(factor.reshape({4, 1, 1, 1})), inputs[7], inputs[8]})[0];
  const auto bias = inputs[4].add(inputs[2].sub(inputs[5]).mul(factor));
  require_close(y, run_op(node_of(kConv), {inputs[0], weight, bias})[0], 1e-12);
}

TEST_CASE("ConvBatchNormalization: quantising before or after folding gives the same integers", "[ops]") {
  auto inputs = some_inputs();
  auto trained = inputs;
  for (auto& input : trained) input = input.clone();
  const auto y = run_op(node_of(kFused + " bits=5"), trained, Mode::train)[0];
  // as the paper has it: fold with the running statistics, quantise, convolve, normalise what comes out
  const auto factor = inputs[3].div(inputs[6].add(1e-5).sqrt()).reshape({4, 1, 1, 1});
  const auto folded = inputs[1].mul(factor);
  const auto scale = folded.flatten(1).abs().amax(1).div(15.5);
  const auto weight =
      run_op(node_of("y = FakeQuantize(%w, %s, %z) axis=0 bits=5"), {folded, scale, inputs[8]})[0].div(factor);
  const auto plain = run_op(node_of(kConv), {inputs[0], weight, inputs[2]})[0];
  require_close(y, run_op(node_of(kNorm), {plain, inputs[3], inputs[4], inputs[5], inputs[6]}, Mode::train)[0], 1e-9);
}

TEST_CASE("ConvBatchNormalization: a channel with gamma 0 is its beta and keeps learning statistics", "[ops]") {
  auto inputs = some_inputs();
  inputs[3] = numbers({0, 1, 1, 1});
  const auto before = inputs[5].clone();
  const auto y = run_op(node_of(kFused), inputs, Mode::train)[0];
  require_close(y.select(1, 0), inputs[4][0].expand({4, 5, 5}), 0);
  REQUIRE(inputs[7][0].item<double>() == 1);
  REQUIRE(before[0].item<double>() != inputs[5][0].item<double>());
}
