#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

namespace compress::log {

enum class Level { debug, info, warning, quiet };

/// Messages go to stderr, and to the run's log file when one is open. Lines start with their subject: "[prune] conv1:
/// 20 -> 8".
void set_level(Level level);
void open_file(const std::filesystem::path& path);
void close_file();

void write(Level level, const std::string& text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
/// Each distinct warning is shown once.
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace compress::log
