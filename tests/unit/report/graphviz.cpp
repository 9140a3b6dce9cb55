#include "report/graphviz.h"

#include "support/check_error.h"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace compress;

TEST_CASE("graphviz: a drawing that is none is told in Graphviz's words") {
  test::require_error([] { report::draw("digraph {", ".svg"); }, "Graphviz could not draw the network", "syntax error");
}

TEST_CASE("graphviz: without the program the error says how to get it, and what works without") {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/no/such/folder", 1);
  const auto text = test::error_text([] { report::require_graphviz("net.png"); });
  ::setenv("PATH", path.c_str(), 1);
  REQUIRE_THAT(text, Catch::Contains("the picture 'net.png' needs the program 'dot' of Graphviz") &&
                         Catch::Contains("apt-get install graphviz") && Catch::Contains(".dot file"));
}
