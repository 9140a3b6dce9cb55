#include "ops/product_channels.h"
#include "support/check_error.h"
#include "support/run_op.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

ops::ProductAxes axes(const std::string& text, const std::vector<Shape>& shapes) {
  return ops::einsum_axes(node_of(text), shapes);
}

std::vector<ops::ValueInfo> inferred(const std::string& text, const std::vector<Shape>& shapes) {
  const auto node = node_of(text);
  std::vector<ops::ValueInfo> infos;
  for (const auto& shape : shapes) infos.push_back({.shape = shape});
  return ops::op_of(node).infer({.node = node, .inputs = infos});
}

}  // namespace

TEST_CASE("einsum: without an arrow the output has the letters that stand once, in order", "[ops]") {
  REQUIRE(axes("y = Einsum(a, b) equation=\"kj, ji\"", {{2, 3}, {3, 4}}).output == "ik");
  REQUIRE(inferred("y = Einsum(a, b) equation=\"kj, ji\"", {{2, 3}, {3, 4}})[0].shape == Shape{4, 2});
  REQUIRE(inferred("y = Einsum(a) equation=\"ii\"", {{3, 3}})[0].shape.empty());
}

TEST_CASE("einsum: the further axes broadcast, and a stretched one is marked", "[ops]") {
  const auto found = axes("y = Einsum(a, b) equation=\"...ij,...jk->...ik\"", {{5, 1, 2, 3}, {4, 3, 6}});
  REQUIRE(found.inputs[0][1] == ops::kStretched);
  REQUIRE(found.inputs[1][0] == found.output[1]);
  REQUIRE(inferred("y = Einsum(a, b) equation=\"...ij,...jk->...ik\"", {{5, 1, 2, 3}, {4, 3, 6}})[0].shape ==
          Shape{5, 4, 2, 6});
}

TEST_CASE("einsum: multiply-accumulates are the product of all letters", "[ops]") {
  const auto node = node_of("y = Einsum(a, b) equation=\"bij,bjk->bik\"");
  const std::vector<ops::ValueInfo> infos{{.shape = {2, 3, 4}}, {.shape = {2, 4, 5}}};
  REQUIRE(ops::op_of(node).macs(node, infos, {}) == 2 * 3 * 4 * 5);
}

TEST_CASE("einsum: an equation that does not fit is quoted with the reason", "[ops]") {
  const std::vector<Shape> two{{2, 3}, {3, 4}};
  const auto require_bad = [&](const std::string& equation, const std::string& part) {
    require_error([&] { inferred("y = Einsum(a, b) equation=\"" + equation + "\"", two); }, part);
  };
  require_bad("ij", "the equation 'ij' has 1 groups for 2 inputs");
  require_bad("ijk,jk", "does not fit the shape 2x3");
  require_bad("ij,ik", "gives 'i' the sizes 2 and 3");
  require_bad("ij,jk->ix", "has 'x' in the output only");
  require_bad("ij,jk->ii", "has 'i' twice in the output");
  require_bad("i1,jk", "has a '1'");
}
