#include "core/interrupt.h"

#include "core/error.h"

#include <catch2/catch.hpp>
#include <sys/wait.h>

#include <csignal>
#include <unistd.h>

namespace compress {

namespace {

/// Runs `body` in a child, so that the flag stays clear here. Returns the child's exit status.
template <class Body>
int status_of_child(Body&& body) {
  const auto child = ::fork();
  if (child == 0) {
    ::close(STDERR_FILENO);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("interrupt: the first Ctrl-C, or SIGTERM, sets the flag", "[core]") {
  REQUIRE_FALSE(interrupted());
  REQUIRE_NOTHROW(throw_if_interrupted("training"));
  const int signal = GENERATE(SIGINT, SIGTERM);
  const auto status = status_of_child([signal] {
    install_interrupt_handler();
    std::raise(signal);
    try {
      throw_if_interrupted("training");
    } catch (const Error& error) {
      const bool good = error.fault() == Fault::interrupted && error.render() == "interrupted: training was stopped";
      return interrupted() && good ? 0 : 1;
    }
    return 2;
  });
  REQUIRE(status == 0);
}

TEST_CASE("interrupt: the second Ctrl-C, or SIGTERM, ends the process", "[core]") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  const auto status = status_of_child([signal] {
    install_interrupt_handler();
    std::raise(SIGINT);
    std::raise(signal);
    return 0;
  });
  REQUIRE(status == 130);
}

TEST_CASE("interrupt: a forgotten Ctrl-C stops nothing any more, but the next one ends the process", "[core]") {
  const auto status = [](bool again) {
    return status_of_child([again] {
      install_interrupt_handler();
      std::raise(SIGINT);
      forget_interrupt();
      if (again) std::raise(SIGINT);
      return interrupted() ? 1 : 0;
    });
  };
  REQUIRE(status(false) == 0);
  REQUIRE(status(true) == 130);
}

}  // namespace compress
