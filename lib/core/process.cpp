#include "core/process.h"

#include "core/error.h"
#include "core/interrupt.h"
#include "core/text.h"

#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <spawn.h>
#include <unistd.h>

namespace compress {

namespace {

namespace fs = std::filesystem;

/// A file without a name, gone when closed. Unlike a pipe it takes any amount without a second thread.
class Scratch {
public:
  Scratch() : file_(std::tmpfile(), &std::fclose) {
    if (!file_) throw run_error("no temporary file can be made: {}", std::strerror(errno));
  }
  int descriptor() const { return ::fileno(file_.get()); }

  void fill(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size() || std::fflush(file_.get()) != 0)
      throw run_error("a temporary file cannot be written: {}", std::strerror(errno));
    std::rewind(file_.get());
  }
  std::string content() {
    std::rewind(file_.get());
    std::string bytes;
    char chunk[65536];
    while (const size_t count = std::fread(chunk, 1, sizeof chunk, file_.get())) bytes.append(chunk, count);
    return bytes;
  }

private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

class Redirections {
public:
  Redirections() { ::posix_spawn_file_actions_init(&actions_); }
  ~Redirections() { ::posix_spawn_file_actions_destroy(&actions_); }
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;
  void add(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

private:
  posix_spawn_file_actions_t actions_{};
};

int wait_for(pid_t child) {
  int state = 0;
  while (::waitpid(child, &state, 0) < 0)
    if (errno != EINTR) throw run_error("a program that was started cannot be waited for: {}", std::strerror(errno));
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

}  // namespace

std::optional<fs::path> find_program(std::string_view name) {
  const char* path = std::getenv("PATH");
  for (const auto& folder : split(path ? path : "", ':')) {
    const fs::path candidate = fs::path(folder.empty() ? "." : folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate)) return candidate;
  }
  return std::nullopt;
}

ProcessResult run_program(const fs::path& program, const std::vector<std::string>& arguments, std::string_view input) {
  Scratch in, out, errors;
  in.fill(input);
  Redirections redirections;
  redirections.add(in.descriptor(), STDIN_FILENO);
  redirections.add(out.descriptor(), STDOUT_FILENO);
  redirections.add(errors.descriptor(), STDERR_FILENO);
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  if (const int error = ::posix_spawn(&child, program.c_str(), redirections.get(), nullptr, pointers.data(), environ))
    throw run_error("'{}' cannot be started: {}", program.string(), std::strerror(error));
  const int status = wait_for(child);
  throw_if_interrupted(program.filename().c_str());
  return {.status = status, .output = out.content(), .errors = errors.content()};
}

}  // namespace compress
