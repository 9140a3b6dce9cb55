#include "io/folder_exchange.h"

#include "core/error.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace compress::io {
namespace {

namespace fs = std::filesystem;

fs::path with_suffix(const fs::path& folder, const char* suffix) {
  const auto plain = folder.has_filename() ? folder : folder.parent_path();
  return plain.parent_path() / (plain.filename().string() + suffix);
}

/// Makes the names in a folder survive a power cut.
void flush_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) throw run_error("cannot rename '{}' to '{}': {}", from.string(), to.string(), failure.message());
}

}  // namespace

fs::path folder_in_work(const fs::path& folder) {
  return with_suffix(folder, ".new");
}

void exchange_folder(const fs::path& folder) {
  const auto fresh = folder_in_work(folder), old = with_suffix(folder, ".old");
  flush_folder(fresh);
  std::error_code ignored;
  if (!fs::exists(folder)) {
    rename_folder(fresh, folder);
  } else if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) {
    fs::remove_all(fresh, ignored);
  } else {
    // This file system cannot exchange: between the two renames only the old folder is whole, under its other name.
    fs::remove_all(old, ignored);
    rename_folder(folder, old);
    rename_folder(fresh, folder);
  }
  flush_folder(folder.parent_path());
  fs::remove_all(old, ignored);
}

fs::path surviving_folder(const fs::path& folder) {
  const auto old = with_suffix(folder, ".old");
  return !fs::exists(folder) && fs::exists(old) ? old : folder;
}

}  // namespace compress::io
