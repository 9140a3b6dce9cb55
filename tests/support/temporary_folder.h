#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace compress::test {

/// An empty folder that is deleted with everything in it at the end of the scope.
class TemporaryFolder {
public:
  TemporaryFolder() {
    static std::atomic<int> counter = 0;
    const auto name = "compress-test-" + std::to_string(::getpid()) + '-' + std::to_string(counter++);
    path_ = std::filesystem::temp_directory_path() / name;
    std::filesystem::create_directory(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

}  // namespace compress::test
