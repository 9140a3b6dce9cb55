#pragma once

#include "core/error.h"

#include <catch2/catch.hpp>

#include <concepts>
#include <string>
#include <string_view>

namespace compress::test {

/// What a user would read when `body` fails; fails the test when it throws nothing or another type.
template <std::invocable Body>
std::string error_text(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.render();
  }
  FAIL("no error was thrown");
  return {};
}

/// Requires that `body` throws an Error whose text holds every one of `parts`.
template <std::invocable Body, std::convertible_to<std::string_view>... Parts>
void require_error(Body&& body, Parts&&... parts) {
  const auto text = error_text(body);
  INFO("the error's text: " << text);
  for (const std::string_view part : {std::string_view(parts)...}) {
    INFO("must hold: " << part);
    REQUIRE(text.find(part) != std::string::npos);
  }
}

}  // namespace compress::test
