#include "io/constant_operators.h"

#include "support/check_error.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using test::integers;

namespace {

at::Tensor run(const std::string& op,
               const std::vector<at::Tensor>& inputs,
               const std::map<std::string, int64_t>& attributes = {}) {
  io::DraftNode node{.name = "n", .op = op, .outputs = {"y"}};
  for (const auto& [name, value] : attributes) node.attributes.set(name, value);
  const auto operation = io::find_constant_operator(op);
  REQUIRE(operation);
  return operation(node, inputs);
}

}  // namespace

TEST_CASE("constants: the operators of shape arithmetic compute as ONNX says") {
  const auto a = integers({7, -7, 4});
  REQUIRE(run("Div", {a, integers({2})}).equal(integers({3, -3, 2})));
  REQUIRE(run("Mod", {a, integers({4})}).equal(integers({3, 1, 0})));
  REQUIRE(run("Gather", {a, integers({-1, 0})}).equal(integers({4, 7})));
  REQUIRE(
      run("Slice", {a, integers({-1}), integers({-100}), integers({0}), integers({-1})}).equal(integers({4, -7, 7})));
  REQUIRE(run("Slice", {a, integers({1}), integers({1000})}).equal(integers({-7, 4})));
  REQUIRE(run("Cast", {test::numbers({1.9})}, {{"to", 7}}).equal(integers({1})));
  REQUIRE(run("Range", {integers({1})[0], integers({7})[0], integers({2})[0]}).equal(integers({1, 3, 5})));
  REQUIRE(run("Expand", {integers({5}), integers({2, 1})}).equal(integers({5, 5}).reshape({2, 1})));
  REQUIRE(run("Where", {a.gt(0), a, a.mul(10)}).equal(integers({7, -70, 4})));
  REQUIRE(run("ReduceProd", {integers({2, 3, 4})}, {{"keepdims", 0}}).item<int64_t>() == 24);
  REQUIRE(run("ConstantOfShape", {integers({2})}).equal(test::numbers({0, 0}).to(at::kFloat)));
  REQUIRE(io::find_constant_operator("Conv") == nullptr);
}

TEST_CASE("constants: what cannot be computed is refused") {
  const auto a = integers({1, 2});
  test::require_error([&] { run("Div", {a, integers({0})}); }, "divides by zero");
  test::require_error([&] { run("Mod", {a, integers({0})}); }, "divides by zero");
  test::require_error([&] { run("Gather", {a}); }, "node 'n' (Gather) lacks input 1");
  test::require_error([&] { run("Gather", {a, a}, {{"axis", 3}}); }, "axis 3 of a tensor with 1 axes");
  test::require_error([&] { run("Range", {a[0], a[1], integers({0})[0]}); }, "in steps of 0");
  test::require_error([&] { run("Cast", {a}, {{"to", 99}}); }, "element type 99");
  test::require_error([&] { run("Slice", {a, integers({0}), integers({1, 2})}); }, "differ in number");
  test::require_error([&] { run("Expand", {a, integers({1 << 20, 1 << 20, 2})}); }, "absurd size");
}
