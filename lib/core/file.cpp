#include "core/file.h"

#include "core/error.h"
#include "core/text.h"
#include "core/zlib_header.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace compress {

namespace {

namespace fs = std::filesystem;

/// A file descriptor that closes itself.
class Descriptor {
public:
  Descriptor(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int get() const { return fd_; }
  /// False when data that was accepted before turns out to be lost (network file systems).
  bool close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || ::close(fd) == 0;
  }

private:
  int fd_;
};

std::string reason() {
  return std::strerror(errno);
}

/// Names in the folder of a missing file: a hint is worth one look.
std::string similar_file(const fs::path& path) {
  constexpr size_t kMost = 10'000;
  std::vector<std::string> names;
  std::error_code ignored;
  const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator it(folder, ignored), end; it != end && names.size() < kMost; it.increment(ignored))
    names.push_back(it->path().filename().string());
  return did_you_mean(path.filename().string(), names);
}

Error read_failure(const fs::path& path) {
  const bool missing = errno == ENOENT;
  auto error = request_error("cannot read '{}': {}", path.string(), reason());
  if (missing) error.hint(similar_file(path));
  return error;
}

Error write_failure(const fs::path& path) {
  return run_error("cannot write '{}': {}", path.string(), reason());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

/// A name beside `path` that no other process or thread uses.
fs::path temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter = 0;
  auto name = path;
  name += fmt::format(".{}.{}.part", ::getpid(), counter++);
  return name;
}

/// A pipe or device (/dev/stdout, /dev/null): renaming over it would replace it.
bool is_device(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

bool write_and_sync(const fs::path& path, std::string_view bytes) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL);
  return file.is_open() && write_all(file.get(), bytes) && ::fsync(file.get()) == 0 && file.close();
}

void sync_folder(const fs::path& folder) {
  // Not every file system can; the data itself is safe already.
  const Descriptor handle(folder.empty() ? fs::path(".") : folder, O_RDONLY | O_DIRECTORY);
  if (handle.is_open()) ::fsync(handle.get());
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (!file.is_open()) throw read_failure(path);
  struct stat info {};
  std::string bytes;
  size_t size = 0;
  if (::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode)) bytes.resize(static_cast<size_t>(info.st_size) + 1);
  while (true) {
    if (size == bytes.size()) bytes.resize(std::max<size_t>(64 * 1024, 2 * size));
    const auto count = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw read_failure(path);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  bytes.resize(size);
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes) {
  if (is_device(path)) {
    const Descriptor device(path, O_WRONLY);
    if (!device.is_open() || !write_all(device.get(), bytes)) throw write_failure(path);
    return;
  }
  const auto temporary = temporary_name(path);
  if (write_and_sync(temporary, bytes) && ::rename(temporary.c_str(), path.c_str()) == 0)
    return sync_folder(path.parent_path());
  const auto error = write_failure(path);
  ::unlink(temporary.c_str());
  throw error;
}

void append_line(const fs::path& path, std::string_view line) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_APPEND);
  // One write, so that a killed run leaves whole lines.
  if (!file.is_open() || !write_all(file.get(), std::string(line) + '\n') || !file.close()) throw write_failure(path);
}

std::string checksum(std::string_view bytes) {
  const auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  return fmt::format("{:08x}", crc);
}

void require_writable(const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw request_error("cannot create the folder '{}': {}", folder.string(), failed.message());
  const auto probe = temporary_name(folder / "probe");
  const Descriptor file(probe, O_WRONLY | O_CREAT | O_EXCL);
  if (!file.is_open()) throw request_error("cannot write into the folder '{}': {}", folder.string(), reason());
  ::unlink(probe.c_str());
}

}  // namespace compress
