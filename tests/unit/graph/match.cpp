#include "graph/match.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

const Pattern& conv_bn() {
  static const Pattern pattern(R"(
    conv = Conv($x, %w, %b?)
    bn = BatchNormalization(conv, %g, %beta, %mean, %var)
  )");
  return pattern;
}

Graph network(const std::string& tail) {
  return parse_graph(R"(graph g(x: float[N,3,8,8]) -> (end)
parameter w: float[3,3,1,1]
parameter b: float[3]
parameter s: float[3]
c1 = Conv(x, %w)
b1 = BatchNormalization(c1, %s, %s, %s, %s)
c2 = Conv(b1, %w, %b)
b2 = BatchNormalization(c2, %s, %s, %s, %s)
)" + tail);
}

}  // namespace

TEST_CASE("match: every place is found with its captures, in order") {
  Graph graph = network("end = Relu(b2)\n");
  const auto matches = conv_bn().find(graph);
  REQUIRE(matches.size() == 2);
  REQUIRE(matches[0].node("conv").name == "c1");
  REQUIRE(matches[0].value("b") == "");
  REQUIRE(matches[1].node("bn").name == "b2");
  REQUIRE(matches[1].value("x") == "b1");
  REQUIRE(matches[1].value("b") == "b");
}

TEST_CASE("match: a value that others read is not inside a match") {
  Graph graph = network("end = Add(c2, b2)\n");
  REQUIRE(conv_bn().find(graph).size() == 1);
}

TEST_CASE("match: a node takes one of several operators and given attributes") {
  Graph graph = parse_graph("graph g(x: float[N,3]) -> (c)\na = Relu(x)\nb = Clip(a) max=6.0\nc = Clip(b) max=1.0\n");
  REQUIRE(Pattern("act = Relu|Clip($x)").find(graph).size() == 3);
  REQUIRE(Pattern("act = Clip($x) max=6.0").find(graph).size() == 1);
  REQUIRE(Pattern("one = Clip($x)\ntwo = Clip(one)").find(graph).size() == 1);
}

TEST_CASE("match: the same capture must be the same value") {
  Graph graph = parse_graph("graph g(x: float[N,3], y: float[N,3]) -> (b)\na = Mul(x, x)\nb = Mul(a, y)\n");
  const auto matches = Pattern("square = Mul($x, $x)").find(graph);
  REQUIRE(matches.size() == 1);
  REQUIRE(matches[0].node("square").name == "a");
}

TEST_CASE("match: a pattern that is wrong says where") {
  require_error([] { Pattern(""); }, "the pattern is empty");
  require_error([] { Pattern("a = Relu(b)"); },
                "<pattern>:1:10: error: the pattern's node 'b' stands on no line above");
}
