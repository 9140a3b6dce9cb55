#include "core/progress.h"

#include "core/log.h"
#include "support/captured_stderr.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string>
#include <unistd.h>

namespace compress {

namespace {

/// What `body` shows on a terminal of `columns` columns.
template <class Body>
std::string on_terminal(unsigned short columns, Body&& body) {
  int terminal = -1, program = -1;
  winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  REQUIRE(::openpty(&terminal, &program, nullptr, nullptr, &size) == 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(program, STDERR_FILENO);
  body();
  std::fflush(stderr);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  // The kernel passes what was written on in its own time and in pieces.
  constexpr int kPatience = 50;
  std::string text;
  for (pollfd ready{.fd = terminal, .events = POLLIN, .revents = 0}; ::poll(&ready, 1, kPatience) > 0;) {
    char piece[4096];
    const auto count = ::read(terminal, piece, sizeof piece);
    if (count <= 0) break;
    text.append(piece, static_cast<size_t>(count));
  }
  ::close(program);
  ::close(terminal);
  return text;
}

/// A clock on which 120 ms pass between two looks: every update is drawn.
std::chrono::steady_clock::time_point slow_clock() {
  static std::chrono::steady_clock::time_point now;
  return now += std::chrono::milliseconds(120);
}

void show_one(const std::string& note) {
  Progress progress("train 3/20", 430, slow_clock);
  progress.update(215, note);
}

}  // namespace

TEST_CASE("progress: one line on a terminal, cleared at the end", "[core]") {
  ::setenv("TERM", "xterm", 1);
  REQUIRE(on_terminal(120, [] { show_one("loss 0.412"); }) ==
          "\rtrain 3/20  [============>           ] 215/430  loss 0.412  0:00 left\x1b[K\r\x1b[K");
}

TEST_CASE("progress: a narrow terminal cuts the line, never a character", "[core]") {
  ::setenv("TERM", "xterm", 1);
  REQUIRE(on_terminal(14, [] { show_one(""); }) == "\rtrain 3/20  [\x1b[K\r\x1b[K");
}

TEST_CASE("progress: what is logged stands on a line of its own", "[core]") {
  ::setenv("TERM", "xterm", 1);
  const auto text = on_terminal(120, [] {
    Progress progress("eval", 0, slow_clock);
    progress.update(5);
    log::info("message");
  });
  REQUIRE(text == "\reval  [>                       ] 5/0\x1b[K\r\x1b[Kmessage\r\n");
}

TEST_CASE("progress: nothing in a pipe, on a dumb terminal, when switched off", "[core]") {
  REQUIRE(test::captured_stderr([] { show_one(""); }).empty());
  ::setenv("TERM", "dumb", 1);
  REQUIRE(on_terminal(80, [] { show_one(""); }).empty());
  ::setenv("TERM", "xterm", 1);
  Progress::enable(false);
  REQUIRE(on_terminal(80, [] { show_one(""); }).empty());
  Progress::enable(true);
}

TEST_CASE("progress: quick updates are not drawn", "[core]") {
  const auto text = on_terminal(80, [] {
    Progress progress("x", 1000, [] { return std::chrono::steady_clock::time_point(); });
    for (int i = 0; i < 1000; ++i) progress.update(i);
  });
  REQUIRE(text.empty());
}

}  // namespace compress
