#include "graph/select.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

using Names = std::vector<std::string>;

Graph three_layers() {
  return parse_graph(R"(graph g(input: float[N,2]) -> (output = c)
parameter a.weight: float[2,2]
parameter b.weight: float[2,2]
parameter b.scale: float[2] fixed
parameter c.weight: float[2,2]
a = Gemm(input, %a.weight) transB=1
b = Gemm(a, %b.weight, %b.scale) transB=1
c = Gemm(b, %c.weight) transB=1
)");
}

}  // namespace

TEST_CASE("select: an exact name, with or without PyTorch's wrapper", "[graph]") {
  const auto graph = three_layers();
  REQUIRE(select_parameters(graph, "a.weight") == Names{"a.weight"});
  REQUIRE(select_parameters(graph, "module.a.weight") == Names{"a.weight"});
}

TEST_CASE("select: a pattern means trainable parameters, in the graph's order", "[graph]") {
  const auto graph = three_layers();
  REQUIRE(select_parameters(graph, "*") == Names{"a.weight", "b.weight", "c.weight"});
  REQUIRE(select_parameters(graph, "module.?.weight") == Names{"a.weight", "b.weight", "c.weight"});
}

TEST_CASE("select: several words give each parameter once, in the order of the words", "[graph]") {
  Problems problems;
  REQUIRE(select_parameters(three_layers(), Names{"c.weight", "*"}, problems) ==
          Names{"c.weight", "a.weight", "b.weight"});
  REQUIRE(problems.empty());
}

TEST_CASE("select: words that mean nothing are problems, all of them", "[graph]") {
  const auto graph = three_layers();
  require_error([&] { select_parameters(graph, "a.wieght"); }, "'g' has no parameter 'a.wieght'",
                "did you mean 'a.weight'?");
  require_error([&] { select_parameters(graph, "x.*"); }, "the pattern 'x.*' matches no parameter of 'g'");
  require_error([&] { select_parameters(graph, "b.scale"); },
                "parameter 'b.scale' is not trained: it holds statistics or constants");
  Problems problems;
  REQUIRE(select_parameters(graph, Names{"x", "a.weight", "y"}, problems) == Names{"a.weight"});
  REQUIRE(problems.errors().size() == 2);
}

TEST_CASE("select: of several words for one parameter the more precise one gives the value", "[graph]") {
  Problems problems;
  const auto values =
      select_values(three_layers(), {{"*", 1}, {"b.*", 2}, {"module.b.weight", 3}, {"?.weight", 4}}, problems);
  REQUIRE(problems.empty());
  REQUIRE(values.names == Names{"a.weight", "b.weight", "c.weight"});
  REQUIRE(values.values == std::vector<double>{4, 3, 4});
}

TEST_CASE("select: names follow renames and removals", "[graph]") {
  Changes changes;
  changes.renamed = {{"a.weight", "z.weight"}};
  changes.removed = {"b.weight"};
  Names names{"a.weight", "b.weight", "c.weight"};
  follow(names, changes);
  REQUIRE(names == Names{"z.weight", "c.weight"});
  ParameterValues values{{"a.weight", "b.weight", "c.weight"}, {1, 2, 3}};
  follow(values, changes);
  REQUIRE(values.names == names);
  REQUIRE(values.values == std::vector<double>{1, 3});
}
