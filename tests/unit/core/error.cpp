#include "core/error.h"

#include "support/check_error.h"

#include <c10/util/Exception.h>

#include <catch2/catch.hpp>

#include <filesystem>
#include <new>
#include <stdexcept>

namespace compress {

namespace {

template <class Exception>
Error converted(const Exception& exception) {
  try {
    throw exception;
  } catch (...) {
    return current_error();
  }
}

}  // namespace

TEST_CASE("place: leaves out what is unknown", "[core]") {
  REQUIRE(Place{}.str().empty());
  REQUIRE(Place{"a.yaml"}.str() == "a.yaml");
  REQUIRE(Place{"a.yaml", 3}.str() == "a.yaml:3");
  REQUIRE(Place{"a.yaml", 3, 7}.str() == "a.yaml:3:7");
  REQUIRE(Place{"", 3, 7}.str() == "line 3:7");
}

TEST_CASE("error: place, message, contexts and hints stand below each other", "[core]") {
  auto error =
      request_error("unknown key '{}'", "wieghts").at({"a.yaml", 2, 1}).hint("did you mean 'weights'?").hint("");
  error.during("reading the pruner 'x'").during("reading 'a.yaml'");
  REQUIRE(error.render() == "a.yaml:2:1: error: unknown key 'wieghts'\n"
                            "  while reading the pruner 'x'\n"
                            "  while reading 'a.yaml'\n"
                            "  hint: did you mean 'weights'?");
  REQUIRE(error.what() == error.render());
}

TEST_CASE("error: a known place stays, an unknown line is filled in", "[core]") {
  REQUIRE(request_error("x").at({"a", 1, 1}).at({"b", 2, 2}).place() == Place{"a", 1, 1});
  REQUIRE(request_error("x").at({"a"}).at({"a", 2, 2}).place() == Place{"a", 2, 2});
}

TEST_CASE("error: control characters of a quoted text are shown, not sent to the terminal", "[core]") {
  REQUIRE(request_error("unknown key '{}'", "\x1b[2J\r").render() == "error: unknown key '\\x1b[2J\\x0d'");
}

TEST_CASE("error: an interrupt is no error", "[core]") {
  REQUIRE(Error(Fault::interrupted, "interrupted: training was stopped").render() ==
          "interrupted: training was stopped");
}

TEST_CASE("within: adds what was being done, innermost first", "[core]") {
  const auto text = test::error_text([] {
    within("running the pass 'thin'", [] { within("running node 'conv1'", [] { throw run_error("no memory"); }); });
  });
  REQUIRE(text == "error: no memory\n  while running node 'conv1'\n  while running the pass 'thin'");
  REQUIRE(within("adding", [] { return 1 + 1; }) == 2);
}

TEST_CASE("current_error: LibTorch's exceptions keep their first line only", "[core]") {
  const auto error =
      converted(c10::Error("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)\nframe #0", nullptr));
  REQUIRE(error.render() == "error: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
  REQUIRE(error.fault() == Fault::run);
}

TEST_CASE("current_error: sizes that no machine has are named, not the allocator's checks", "[core]") {
  const auto message = [](const char* text) { return converted(c10::Error(text, nullptr)).message(); };
  REQUIRE(message("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
                  "to allocate 70368744177664 bytes. Error code 12 (Cannot allocate memory)") ==
          "out of memory: 64.0 TiB were asked for at once");
  const char* const impossible = "a tensor of an impossible size was asked for";
  REQUIRE(message("Storage size calculation overflowed with sizes=[2305843009213693952]") == impossible);
  REQUIRE(message("[enforce fail at alloc_cpu.cpp:99] ((ptrdiff_t)nbytes) >= 0. alloc_cpu() seems to have been called "
                  "with negative number: 18446744073709551615") == impossible);
  REQUIRE(message("[enforce fail at x.cpp:1] a > b. something else") == "something else");
}

TEST_CASE("current_error: out of memory comes with advice, whoever reports it", "[core]") {
  const auto advice = Catch::Contains("lower the batch size");
  REQUIRE_THAT(converted(c10::Error("CUDA out of memory. Tried to allocate 2.00 GiB", nullptr)).render(), advice);
  REQUIRE_THAT(converted(c10::Error("DefaultCPUAllocator: can't allocate memory: 9 bytes", nullptr)).render(), advice);
  REQUIRE_THAT(converted(std::bad_alloc()).render(), advice);
  REQUIRE(converted(std::bad_alloc()).message() == "out of memory");
}

TEST_CASE("current_error: other exceptions become errors of the run", "[core]") {
  const auto missing = std::make_error_code(std::errc::no_such_file_or_directory);
  REQUIRE(converted(std::filesystem::filesystem_error("x", "a", "b", missing)).message() ==
          "'a' -> 'b': No such file or directory");
  REQUIRE(converted(std::runtime_error("first\nsecond")).message() == "first");
  REQUIRE(converted(1).message() == "unknown error");
  REQUIRE(converted(request_error("mine")).fault() == Fault::request);
}

TEST_CASE("problems: all are shown, in the order of the file, each once", "[core]") {
  Problems problems;
  REQUIRE_NOTHROW(problems.raise());
  problems.add(request_error("second").at({"a", 2, 1}));
  REQUIRE(problems.capture([] {}));
  REQUIRE_FALSE(problems.capture([] { throw request_error("first").at({"a", 1, 1}); }));
  problems.add(request_error("second").at({"a", 2, 1}));
  REQUIRE(test::error_text([&] { problems.raise(); }) == "a:1:1: error: first\na:2:1: error: second");
}

TEST_CASE("problems: raised together they can be collected again", "[core]") {
  Problems inner, outer;
  for (const auto* text : {"a", "b", "c"}) inner.add(request_error("{}", text));
  outer.add(request_error("before"));
  outer.capture([&] { inner.raise(); });
  REQUIRE(test::error_text([&] { outer.raise(); }) == "error: before\nerror: a\nerror: b\nerror: c");
}

TEST_CASE("problems: a flood is cut", "[core]") {
  Problems problems;
  for (int i = 0; i < 100; ++i) problems.add(request_error("problem {}", i));
  REQUIRE_THAT(test::error_text([&] { problems.raise(); }),
               Catch::EndsWith("error: problem 19\n... and 80 more errors"));
}

}  // namespace compress
