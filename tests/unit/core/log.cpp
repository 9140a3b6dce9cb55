#include "core/log.h"

#include "core/file.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"

#include <catch2/catch.hpp>

#include <algorithm>

namespace compress {

namespace {

/// Puts back what the tests change.
struct LogGuard {
  ~LogGuard() {
    log::set_level(log::Level::info);
    log::close_file();
  }
};

std::string logged_at(log::Level level) {
  return test::captured_stderr([&] {
    log::set_level(level);
    log::debug("debug {}", 1);
    log::info("[prune] conv1: {} -> {}", 20, 8);
    log::warning("warned at level {}", static_cast<int>(level));
  });
}

}  // namespace

TEST_CASE("log: levels choose what is shown", "[core]") {
  const LogGuard guard;
  REQUIRE(logged_at(log::Level::debug) == "debug 1\n[prune] conv1: 20 -> 8\nwarning: warned at level 0\n");
  REQUIRE(logged_at(log::Level::info) == "[prune] conv1: 20 -> 8\nwarning: warned at level 1\n");
  REQUIRE(logged_at(log::Level::warning) == "warning: warned at level 2\n");
  REQUIRE(logged_at(log::Level::quiet).empty());
}

TEST_CASE("log: each warning is shown once", "[core]") {
  const LogGuard guard;
  const auto text = test::captured_stderr([] {
    for (const int i : {1, 2, 1}) log::warning("only once: {}", i);
  });
  REQUIRE(text == "warning: only once: 1\nwarning: only once: 2\n");
}

TEST_CASE("log: the file is a full record with times, also when the terminal is quiet", "[core]") {
  const LogGuard guard;
  const test::TemporaryFolder folder;
  log::set_level(log::Level::quiet);
  log::open_file(folder / "log.txt");
  log::debug("not this");
  log::info("one");
  log::warning("two");
  log::close_file();
  log::info("not this either");
  REQUIRE_THAT(read_file(folder / "log.txt"),
               Catch::Matches("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d one\n"
                              "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d warning: two\n"));
}

TEST_CASE("log: a second run shows its warnings again and adds to the file", "[core]") {
  const LogGuard guard;
  const test::TemporaryFolder folder;
  log::set_level(log::Level::quiet);
  for (int run = 0; run < 2; ++run) {
    log::open_file(folder / "log.txt");
    log::warning("again");
    log::close_file();
  }
  const auto text = read_file(folder / "log.txt");
  REQUIRE(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("log: a file that cannot be made is an error that names it", "[core]") {
  const LogGuard guard;
  test::require_error([] { log::open_file("/dev/null/log.txt"); }, "cannot write the log file '/dev/null/log.txt'");
}

TEST_CASE("log: a full disk is reported once and ends nothing", "[core]") {
  const LogGuard guard;
  const auto text = test::captured_stderr([] {
    log::open_file("/dev/full");
    log::info("one");
    log::info("two");
    log::close_file();
  });
  REQUIRE_THAT(text, Catch::Contains("one\n") && Catch::Contains("two\n"));
  REQUIRE_THAT(text, Catch::Contains("warning: the log file cannot be written: ") && Catch::Contains("No space left"));
  REQUIRE(text.find("cannot be written") == text.rfind("cannot be written"));
}

}  // namespace compress
