#pragma once

#include <cstdio>
#include <string>
#include <unistd.h>

namespace compress::test {

/// What `body` writes to the error stream.
template <class Body>
std::string captured_stderr(Body&& body) {
  std::FILE* sink = std::tmpfile();
  const int saved = ::dup(STDERR_FILENO);
  std::fflush(stderr);
  ::dup2(::fileno(sink), STDERR_FILENO);
  body();
  std::fflush(stderr);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  std::string text;
  std::rewind(sink);
  for (int c; (c = std::fgetc(sink)) != EOF;) text += static_cast<char>(c);
  std::fclose(sink);
  return text;
}

}  // namespace compress::test
