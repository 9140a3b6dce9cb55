#include "core/file.h"

#include "core/error.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <unistd.h>

namespace compress {

namespace fs = std::filesystem;

namespace {

size_t entries(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}));
}

/// Files may not grow beyond `bytes` in this scope: a disk that is nearly full.
class SmallDisk {
public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("file: what is written is read back, zero bytes included", "[core]") {
  const test::TemporaryFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  for (const auto& content : {bytes, std::string(), std::string(300'000, 'x')}) {
    write_file(folder / "f", content);
    REQUIRE(read_file(folder / "f") == content);
  }
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("file: files without a size are read to their end", "[core]") {
  REQUIRE_FALSE(read_file("/proc/self/status").empty());
  REQUIRE(read_file("/dev/null").empty());
}

TEST_CASE("file: a missing file is named, with one that is alike", "[core]") {
  const test::TemporaryFolder folder;
  write_file(folder / "recipe.yaml", "");
  test::require_error([&] { read_file(folder / "recpie.yaml"); }, "cannot read '",
                      "recpie.yaml': No such file or directory", "did you mean 'recipe.yaml'?");
  test::require_error([&] { read_file(folder / "no" / "where"); }, "No such file or directory");
  test::require_error([&] { read_file(folder.path()); }, "Is a directory");
}

TEST_CASE("file: a write that fails leaves the old file and nothing else", "[core]") {
  const test::TemporaryFolder folder;
  write_file(folder / "f", "old");
  {
    const SmallDisk disk(1000);
    test::require_error([&] { write_file(folder / "f", std::string(5000, 'x')); }, "cannot write '",
                        "/f': File too large");
  }
  REQUIRE(read_file(folder / "f") == "old");
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("file: a place that cannot be written is an error of the run that names it", "[core]") {
  const test::TemporaryFolder folder;
  test::require_error([&] { write_file(folder / "no" / "f", "x"); }, "/no/f': No such file or directory");
  fs::create_directory(folder / "d");
  test::require_error([&] { write_file(folder / "d", "x"); }, "/d': Is a directory");
  REQUIRE(entries(folder.path()) == 1);
}

TEST_CASE("file: devices are written to, not replaced", "[core]") {
  write_file("/dev/null", "x");
  REQUIRE(fs::is_character_file("/dev/null"));
  test::require_error([] { write_file("/dev/full", "x"); }, "cannot write '/dev/full': No space left on device");
}

TEST_CASE("append_line: adds whole lines", "[core]") {
  const test::TemporaryFolder folder;
  append_line(folder / "metrics.jsonl", "{}");
  append_line(folder / "metrics.jsonl", "[]");
  REQUIRE(read_file(folder / "metrics.jsonl") == "{}\n[]\n");
  test::require_error([] { append_line("/dev/full", "x"); }, "cannot write '/dev/full': No space left on device");
}

TEST_CASE("checksum: is CRC-32", "[core]") {
  REQUIRE(checksum("123456789") == "cbf43926");
  REQUIRE(checksum("") == "00000000");
}

TEST_CASE("require_writable: makes the folder and leaves nothing in it", "[core]") {
  const test::TemporaryFolder folder;
  require_writable(folder / "a" / "b");
  REQUIRE(fs::is_empty(folder / "a" / "b"));
  REQUIRE_NOTHROW(require_writable(folder / "a"));
}

TEST_CASE("require_writable: says which folder cannot be made or written", "[core]") {
  const test::TemporaryFolder folder;
  write_file(folder / "f", "");
  test::require_error([&] { require_writable(folder / "f" / "sub"); }, "cannot create the folder '", "Not a directory");
  test::require_error([] { require_writable("/proc"); }, "cannot write into the folder '/proc': ");
}

}  // namespace compress
