#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace compress {

/// The whole file; throws a request error that names the path and the reason.
std::string read_file(const std::filesystem::path& path);

/// Writes beside the place, flushes to disk and renames, so that no reader ever sees half a file. Throws a run error
/// (disk full, permission) and leaves nothing behind.
void write_file(const std::filesystem::path& path, std::string_view bytes);

/// Adds one line at the end (metrics, history). Flushed at once.
void append_line(const std::filesystem::path& path, std::string_view line);

/// CRC-32 as eight hexadecimal digits.
std::string checksum(std::string_view bytes);

/// Throws a request error when files cannot be created in `folder` (made if missing).
void require_writable(const std::filesystem::path& folder);

/// Inflates gzip data; anything else is returned as it is. `name` is for messages.
std::string gunzip(std::string bytes, std::string_view name);

}  // namespace compress
