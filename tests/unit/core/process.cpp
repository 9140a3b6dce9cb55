#include "core/process.h"

#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;

TEST_CASE("process: a program gets its input and arguments as they are, and gives output, errors and status") {
  const auto cat = find_program("cat");
  REQUIRE(cat);
  const std::string bytes = std::string("two lines\nand a zero\0", 22) + "$HOME 'quoted'";
  const auto copied = run_program(*cat, {}, bytes);
  REQUIRE(copied.status == 0);
  REQUIRE(copied.output == bytes);
  REQUIRE(copied.errors.empty());
  const auto missing = run_program(*cat, {"no such; file"}, "");
  REQUIRE(missing.status == 1);
  REQUIRE_THAT(missing.errors, Catch::Contains("no such; file"));
}

TEST_CASE("process: more output than a pipe holds is no problem") {
  const std::string bytes(1 << 20, 'x');
  REQUIRE(run_program(*find_program("cat"), {}, bytes).output.size() == bytes.size());
}

TEST_CASE("process: the signal that ended a program is told") {
  REQUIRE(run_program(*find_program("sh"), {"-c", "kill -9 $$"}, "").status == 128 + 9);
}

TEST_CASE("process: a program that is not there") {
  REQUIRE_FALSE(find_program("no-such-program-anywhere"));
  test::require_error([] { run_program("/no/such/program", {}, ""); }, "'/no/such/program' cannot be started");
}
