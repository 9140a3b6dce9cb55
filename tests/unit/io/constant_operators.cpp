#include "io/constant_operators.h"

#include "support/check_error.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using test::integers;

namespace {

at::Tensor run(const std::string& op, const std::vector<at::Tensor>& inputs) {
  const io::DraftNode node{.name = "n", .op = op, .outputs = {"y"}};
  const auto operation = io::find_constant_operator(op);
  REQUIRE(operation);
  return operation(node, inputs);
}

at::Tensor counted(int64_t start, int64_t limit, int64_t delta) {
  return run("Range", {integers({start})[0], integers({limit})[0], integers({delta})[0]});
}

}  // namespace

TEST_CASE("constants: Range counts up and down, and not at all when the limit lies behind") {
  REQUIRE(counted(1, 7, 2).equal(integers({1, 3, 5})));
  REQUIRE(counted(3, 0, -1).equal(integers({3, 2, 1})));
  REQUIRE(counted(5, 2, 1).numel() == 0);
  const auto real = run("Range", {test::numbers({0})[0], test::numbers({1})[0], test::numbers({0.5})[0]});
  REQUIRE(real.equal(test::numbers({0, 0.5})));
}

TEST_CASE("constants: ConstantOfShape is zeros of 32 bits unless a value says otherwise") {
  REQUIRE(run("ConstantOfShape", {integers({2})}).equal(test::numbers({0, 0}).to(at::kFloat)));
  io::DraftNode node{.name = "n", .op = "ConstantOfShape", .outputs = {"y"}};
  node.tensors["value"] = integers({7});
  const auto operation = io::find_constant_operator("ConstantOfShape");
  REQUIRE(operation(node, std::vector{integers({2})}).equal(integers({7, 7})));
  REQUIRE(operation(node, std::vector{integers({})}).equal(integers({7})[0]));
}

TEST_CASE("constants: the operator table computes everything else") {
  REQUIRE(io::find_constant_operator("Conv") == nullptr);
  REQUIRE(io::find_constant_operator("Gather") == nullptr);
}

TEST_CASE("constants: what cannot be computed is refused") {
  test::require_error([&] { counted(1, 2, 0); }, "in steps of 0");
  test::require_error([&] { counted(0, int64_t{1} << 40, 1); }, "node 'n' (Range) counts from 0");
  test::require_error([&] { run("Range", {integers({1}), integers({1, 2}), integers({1})}); }, "is not one number");
  test::require_error([&] { run("Range", {integers({1})}); }, "node 'n' (Range) lacks input 1");
  test::require_error([&] { run("ConstantOfShape", {integers({1 << 20, 1 << 20, 2})}); }, "absurd size");
}
