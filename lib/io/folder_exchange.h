#pragma once

#include <filesystem>

namespace compress::io {

/// "runs/x/checkpoint" -> "runs/x/checkpoint.new": where the next one is written.
std::filesystem::path folder_in_work(const std::filesystem::path& folder);

/// Puts folder_in_work(folder) in the place of `folder` in one step, and removes the old one. Throws a run error.
void exchange_folder(const std::filesystem::path& folder);

/// The folder, or what a stop in the middle of exchange_folder left of the old one.
std::filesystem::path surviving_folder(const std::filesystem::path& folder);

}  // namespace compress::io
