#include "core/text.h"

#include <catch2/catch.hpp>

#include <limits>

namespace compress {

using Words = std::vector<std::string>;

TEST_CASE("nearest: finds typing errors and ignores case", "[core]") {
  const Words known = {"final_sparsity", "frequency", "weights", "initial_sparsity"};
  REQUIRE(nearest("final_sparsty", known) == "final_sparsity");
  REQUIRE(nearest("fianl_sparsity", known) == "final_sparsity");
  REQUIRE(nearest("Weights", known) == "weights");
  REQUIRE(nearest("wieght", known) == "weights");
  REQUIRE(did_you_mean("frequncy", known) == "did you mean 'frequency'?");
}

TEST_CASE("nearest: says nothing when nothing is near", "[core]") {
  const Words known = {"final_sparsity", "frequency", "x"};
  REQUIRE(nearest("epochs", known).empty());
  REQUIRE(nearest("y", known).empty());
  REQUIRE(nearest("", known).empty());
  REQUIRE(nearest(std::string(1000, 'x'), known).empty());
  REQUIRE(did_you_mean("epochs", known).empty());
  REQUIRE(did_you_mean("epochs", {}).empty());
}

TEST_CASE("join_words: reads like a sentence", "[core]") {
  REQUIRE(join_words(Words{}).empty());
  REQUIRE(join_words(Words{"a"}) == "a");
  REQUIRE(join_words(Words{"a", "b"}) == "a and b");
  REQUIRE(join_words(Words{"a", "b", "c"}, "or") == "a, b or c");
  REQUIRE(join(Words{"a", "b"}, " | ") == "a | b");
}

TEST_CASE("split and trim: keep empty parts, drop outer space", "[core]") {
  REQUIRE(split("a,,b,", ',') == Words{"a", "", "b", ""});
  REQUIRE(split("", ',') == Words{""});
  REQUIRE(trim(" \t a b\r\n") == "a b");
  REQUIRE(trim("  ").empty());
  REQUIRE(to_lower("AbC-1") == "abc-1");
}

TEST_CASE("numbers for people", "[core]") {
  REQUIRE(with_commas(0) == "0");
  REQUIRE(with_commas(999) == "999");
  REQUIRE(with_commas(-1000) == "-1,000");
  REQUIRE(with_commas(40813184) == "40,813,184");
  REQUIRE(with_commas(std::numeric_limits<int64_t>::min()) == "-9,223,372,036,854,775,808");
  REQUIRE(human_bytes(512) == "512 B");
  REQUIRE(human_bytes(1536) == "1.5 KiB");
  REQUIRE(human_bytes(1024 * 1024 - 1) == "1.0 MiB");
  REQUIRE(human_bytes(int64_t{3} << 30) == "3.0 GiB");
  REQUIRE(human_time(83.2) == "1:23");
  REQUIRE(human_time(3723) == "1:02:03");
  REQUIRE(human_time(0.2) == "0:00");
  REQUIRE(human_time(std::numeric_limits<double>::quiet_NaN()) == "?");
  REQUIRE(human_time(1e300) == "?");
  REQUIRE(shape_text(std::vector<int64_t>{16, 3, 3, 3}) == "16x3x3x3");
  REQUIRE(shape_text({}) == "scalar");
}

TEST_CASE("glob_match: stars and question marks", "[core]") {
  REQUIRE(glob_match("layer1.*.weight", "layer1.0.conv1.weight"));
  REQUIRE(glob_match("*", ""));
  REQUIRE(glob_match("conv?", "conv1"));
  REQUIRE(glob_match("a*b*c", "aXbYbZc"));
  REQUIRE(glob_match("conv1", "conv1"));
  REQUIRE_FALSE(glob_match("conv?", "conv"));
  REQUIRE_FALSE(glob_match("conv1", "conv10"));
  REQUIRE_FALSE(glob_match("a*b", "aXc"));
  REQUIRE_FALSE(glob_match("", "a"));
  REQUIRE(is_glob("conv?"));
  REQUIRE_FALSE(is_glob("conv[1]"));
}

TEST_CASE("glob_match: many stars take no exponential time", "[core]") {
  REQUIRE_FALSE(glob_match("a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}

}  // namespace compress
