#include "core/log.h"

#include "core/error.h"
#include "core/progress.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <set>

namespace compress::log {

namespace {

struct State {
  std::mutex mutex;
  Level level = Level::info;
  std::set<std::string> warnings;  ///< those already shown
  std::shared_ptr<spdlog::logger> terminal;
  std::shared_ptr<spdlog::logger> file;
};

State& state() {
  static State state;
  return state;
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink, const std::string& pattern) {
  auto logger = std::make_shared<spdlog::logger>("compress", std::move(sink));
  logger->set_pattern(pattern);
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  return logger;
}

void to_terminal(State& s, const std::string& line) {
  if (!s.terminal) s.terminal = make_logger(std::make_shared<spdlog::sinks::stderr_sink_st>(), "%v");
  Progress::hide();
  s.terminal->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void set_level(Level level) {
  const std::lock_guard lock(state().mutex);
  state().level = level;
}

void open_file(const std::filesystem::path& path) {
  auto& s = state();
  const std::lock_guard lock(s.mutex);
  try {
    s.file = make_logger(std::make_shared<spdlog::sinks::basic_file_sink_st>(path.string()), "%Y-%m-%d %H:%M:%S %v");
  } catch (const spdlog::spdlog_ex& error) {
    throw request_error("cannot write the log file '{}'", path.string()).hint(error.what());
  }
  // A full disk must not end the run here: the checkpoint that follows reports it. The record goes on on the terminal.
  s.file->set_error_handler([shown = false](const std::string& reason) mutable {
    if (!std::exchange(shown, true)) to_terminal(state(), "warning: the log file cannot be written: " + reason);
  });
  s.warnings.clear();  // each log file is a full record
}

void close_file() {
  const std::lock_guard lock(state().mutex);
  state().file.reset();
}

void write(Level level, const std::string& text) {
  auto& s = state();
  const std::lock_guard lock(s.mutex);
  if (level == Level::warning && !s.warnings.insert(text).second) return;
  const auto line = level == Level::warning ? "warning: " + text : text;
  if (level >= s.level && level != Level::quiet) to_terminal(s, line);
  const bool in_file = level >= std::min(s.level, Level::info);
  if (s.file && in_file) s.file->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace compress::log
