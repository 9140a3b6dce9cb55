#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

at::Tensor byte(int64_t value) {
  return at::scalar_tensor(value, at::kByte);
}
at::Tensor real(double value) {
  return at::scalar_tensor(value, at::kFloat);
}

}  // namespace

TEST_CASE("MatMulInteger: sums are exact beyond what 32-bit floats hold", "[ops]") {
  const auto a = at::full({1, 70000}, 255, at::kByte), b = at::full({70000, 1}, 254, at::kByte);
  const auto y = run_op(node_of("y = MatMulInteger(a, b)"), {a.slice(1, 0, 30001), b.slice(0, 0, 30001)})[0];
  REQUIRE(y.scalar_type() == at::kInt);
  REQUIRE(y.item<int64_t>() == int64_t{30001} * 255 * 254);
  const auto wrapped = run_op(node_of("y = MatMulInteger(a, b)"), {a, b})[0];
  REQUIRE(wrapped.item<int64_t>() == int64_t{70000} * 255 * 254 - (int64_t{1} << 32));
}

TEST_CASE("QLinearMatMul: the sum is rounded together with the zero point, half to even", "[ops]") {
  const auto node = node_of("y = QLinearMatMul(a, %s, %z, b, %t, %v, %u, %o)");
  const auto product = [&](int64_t a, int64_t zero) {
    return run_op(node, {integers({a}).to(at::kByte).reshape({1, 1}), real(1), byte(0),
                         integers({1}).to(at::kByte).reshape({1, 1}), real(1), byte(0), real(2), byte(zero)})[0]
        .item<int64_t>();
  };
  REQUIRE(product(1, 0) == 0);
  REQUIRE(product(1, 1) == 2);
  REQUIRE(product(3, 0) == 2);
  REQUIRE(product(255, 200) == 255);
}

TEST_CASE("QLinearConv: pads are the input's zero point", "[ops]") {
  const auto x = at::full({1, 1, 1, 1}, 10, at::kByte), w = at::ones({1, 1, 3, 3}, at::kChar);
  const auto y = run_op(node_of("y = QLinearConv(x, %s, %z, %w, %t, %v, %u, %o, %b) pads=[1,1,1,1]"),
                        {x, real(1), byte(4), w, real(1), at::scalar_tensor(0, at::kChar), real(1), byte(3),
                         integers({-1}).to(at::kInt)})[0];
  REQUIRE(y.item<int64_t>() == 10 - 4 - 1 + 3);
}

TEST_CASE("DynamicQuantizeLinear: the grid covers the values and 0", "[ops]") {
  const auto run = [](const std::vector<double>& values) {
    return run_op(node_of("y, y:1, y:2 = DynamicQuantizeLinear(x)"), {numbers(values).to(at::kFloat)});
  };
  const auto outputs = run({-1, 0, 2, 1.25});
  REQUIRE(outputs[0].equal(integers({0, 85, 255, 191}).to(at::kByte)));
  REQUIRE(outputs[1].item<float>() == 3.0f / 255.0f);
  REQUIRE(outputs[2].item<int64_t>() == 85);
  REQUIRE(run({1, 2})[2].item<int64_t>() == 0);
  REQUIRE(run({0, 0})[1].item<float>() == 1.0f / 255.0f);
}

TEST_CASE("QuantizeLinear: of bytes only 4 bits may be used", "[ops]") {
  const auto x = numbers({-100, -3, 0, 6, 100}).to(at::kFloat), scale = real(1);
  const auto quantized = [&](at::ScalarType type) {
    return run_op(node_of("y = QuantizeLinear(x, %s, %z) bits=4"), {x, scale, byte(0).to(type)})[0];
  };
  REQUIRE(quantized(at::kChar).to(at::kLong).equal(integers({-8, -3, 0, 6, 7})));
  REQUIRE(quantized(at::kByte).to(at::kLong).equal(integers({0, 0, 0, 6, 15})));
  const auto infer = [&](const char* text, at::ScalarType type) {
    const auto node = node_of(text);
    const auto infos = infos_of({x, scale, byte(0).to(type)});
    return ops::op_of(node).infer({.node = node, .inputs = infos});
  };
  require_error([&] { infer("y = QuantizeLinear(x, %s, %z) bits=5", at::kChar); }, "attribute 'bits' is 5",
                "allowed is 4, with int8 and uint8");
  require_error([&] { infer("y = QuantizeLinear(x, %s, %z) bits=4", at::kShort); }, "attribute 'bits' is 4");
}

TEST_CASE("QuantizeLinear: one scale for each block of an axis", "[ops]") {
  const auto x = numbers({1, 2, 3, 4, 5}).reshape({1, 5}), scale = numbers({1, 2}).reshape({1, 2});
  const auto q = run_op(node_of("y = QuantizeLinear(x, %s) axis=1 block_size=3 output_dtype=3"), {x, scale})[0];
  REQUIRE(q.equal(integers({1, 2, 3, 2, 2}).to(at::kChar).reshape({1, 5})));
  const auto y = run_op(node_of("y = DequantizeLinear(x, %s) axis=1 block_size=3"), {q, scale})[0];
  require_close(y, numbers({1, 2, 3, 4, 4}).reshape({1, 5}), 0);
  const auto node = node_of("y = QuantizeLinear(x, %s) axis=1 block_size=2");
  const auto infos = infos_of({x, scale});
  require_error([&] { ops::op_of(node).infer({.node = node, .inputs = infos}); },
                "the scale has shape 1x2, but blocks of 2 on axis 1 of the value need 1x3");
}
