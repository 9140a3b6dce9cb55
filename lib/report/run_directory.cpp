#include "report/run_directory.h"

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace compress::report {

namespace {

namespace fs = std::filesystem;

std::string timestamp() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d_%H-%M-%S", &local);
  return text;
}

fs::path free_name(const fs::path& base) {
  auto path = base;
  for (int i = 1; fs::exists(path); ++i) path = base.string() + "_" + std::to_string(i);
  return path;
}

/// An advisory lock on RUN/lock; the kernel releases it when the process ends, however it ends.
std::shared_ptr<void> lock_directory(const fs::path& path) {
  const int file = ::open((path / "lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (file < 0) throw request_error("cannot write in '{}': {}", path.string(), std::strerror(errno));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    throw request_error("'{}' is in use by another process", path.string())
        .hint("wait until that run has ended, or choose another folder");
  }
  return {nullptr, [file](void*) { ::close(file); }};
}

}  // namespace

RunDirectory::RunDirectory(fs::path path) : path_(std::move(path)), lock_(lock_directory(path_)) {}

RunDirectory RunDirectory::create(const fs::path& out, const std::string& name) {
  const auto path = out.empty() ? free_name(fs::path("runs") / name / timestamp()) : out;
  if (fs::exists(path / "recipe.yaml"))
    throw request_error("'{}' holds a run already", path.string())
        .hint("choose another folder for --out, or go on with: compress run --resume " + path.string());
  require_writable(path);
  return RunDirectory(path);
}

RunDirectory RunDirectory::open(const fs::path& path) {
  if (!fs::exists(path / "recipe.yaml"))
    throw request_error("'{}' is no run directory: it has no recipe.yaml", path.string());
  return RunDirectory(path);
}

void RunDirectory::append_metrics(const nlohmann::json& line) const {
  append_line(file("metrics.jsonl"), line.dump());
}

void RunDirectory::rewind_metrics(int64_t epoch) const {
  if (!fs::exists(file("metrics.jsonl"))) return;
  std::string kept;
  for (const auto& line : split(read_file(file("metrics.jsonl")), '\n')) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (row.is_object() && row.value("epoch", epoch) < epoch) kept += line + "\n";
  }
  write_file(file("metrics.jsonl"), kept);
}

void RunDirectory::write_summary(const nlohmann::json& summary) const {
  write_file(file("summary.json"), summary.dump(2) + "\n");
}

}  // namespace compress::report
