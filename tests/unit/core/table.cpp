#include "core/text.h"

#include <catch2/catch.hpp>

namespace compress {

TEST_CASE("table: text to the left, numbers to the right, a rule below the header", "[core]") {
  Table table({"name", "shape", "MACs", "sparsity"});
  table.row({"conv1", "16x3x3x3", "442,368", "0.5%"});
  table.row({"größe", "scalar", "7", "-"});
  table.row({"short"});
  REQUIRE(table.str() == "name   shape        MACs  sparsity\n"
                         "-----  --------  -------  --------\n"
                         "conv1  16x3x3x3  442,368      0.5%\n"
                         "größe  scalar          7         -\n"
                         "short\n");
}

TEST_CASE("table: as CSV, numbers lose their commas and text its ambiguity", "[core]") {
  Table table({"name", "MACs"});
  table.row({"a \"b\", c", "442,368"});
  table.row({"x", "1.5 KiB"});
  REQUIRE(table.csv() == "name,MACs\n\"a \"\"b\"\", c\",442368\nx,1.5 KiB\n");
}

TEST_CASE("table: without rows only the header is shown", "[core]") {
  REQUIRE(Table({"a", "b"}).str() == "a  b\n-  -\n");
}

}  // namespace compress
