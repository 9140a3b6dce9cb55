#pragma once

#include "core/error.h"

#include <string>
#include <utility>

namespace compress::io {

/// Runs `body`; whatever goes wrong with the content of a file is a request error that names the file.
template <class Body>
auto blame_file(const std::string& name, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    auto error = current_error();
    if (error.fault() == Fault::run) error = Error(Fault::request, error.message());
    if (error.place().file.empty()) error.at({.file = name});
    throw error;
  }
}

}  // namespace compress::io
