#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

/// What a program left behind.
struct ProcessResult {
  int status = 0;  ///< exit status; 128 + the signal that ended it
  std::string output;
  std::string errors;
};

/// The file that the PATH has for a program; nothing when it has none.
std::optional<std::filesystem::path> find_program(std::string_view name);

/// Runs a program with these arguments and this standard input until it ends; no shell is involved. Throws a run error
/// when it cannot be started, and Error(Fault::interrupted) after Ctrl-C.
ProcessResult
run_program(const std::filesystem::path& program, const std::vector<std::string>& arguments, std::string_view input);

}  // namespace compress
