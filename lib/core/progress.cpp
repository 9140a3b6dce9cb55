#include "core/progress.h"

#include "core/text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <unistd.h>

namespace compress {

namespace {

constexpr std::chrono::milliseconds kInterval{100};
constexpr int64_t kBarWidth = 24;

struct Screen {
  std::mutex mutex;
  bool enabled = true;
  bool line_shown = false;
};

Screen& screen() {
  static Screen screen;
  return screen;
}

bool is_terminal() {
  const char* kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && (!kind || std::string_view(kind) != "dumb");
}

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// At most `width` code points; never half a character.
std::string cut(const std::string& text, size_t width) {
  size_t points = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if ((text[i] & 0xC0) != 0x80 && points++ == width) return text.substr(0, i);
  return text;
}

void clear_line(Screen& s) {
  if (!s.line_shown) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  s.line_shown = false;
}

std::string bar(int64_t done, int64_t total) {
  const auto filled = total > 0 ? std::clamp<int64_t>(done * kBarWidth / total, 0, kBarWidth) : 0;
  auto text = std::string(static_cast<size_t>(filled), '=');
  if (filled < kBarWidth) text += '>';
  text.resize(kBarWidth, ' ');
  return text;
}

}  // namespace

Progress::Progress(std::string title, int64_t total, Clock clock)
    : title_(std::move(title)), total_(total), clock_(std::move(clock)), start_(clock_()), shown_(start_) {}

Progress::~Progress() {
  hide();
}

void Progress::update(int64_t done, const std::string& note) {
  const auto now = clock_();
  if (now - shown_ < kInterval) return;
  shown_ = now;
  auto& s = screen();
  const std::lock_guard lock(s.mutex);
  if (!s.enabled || !is_terminal()) return;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  auto line = fmt::format("{}  [{}] {}/{}", title_, bar(done, total_), done, total_);
  if (!note.empty()) line += "  " + note;
  if (done > 0 && done <= total_)
    line +=
        fmt::format("  {} left", human_time(elapsed / static_cast<double>(done) * static_cast<double>(total_ - done)));
  std::fputs(("\r" + cut(line, terminal_width() - 1) + "\x1b[K").c_str(), stderr);
  std::fflush(stderr);
  s.line_shown = true;
}

void Progress::enable(bool on) {
  auto& s = screen();
  const std::lock_guard lock(s.mutex);
  s.enabled = on;
  if (!on) clear_line(s);
}

void Progress::hide() {
  auto& s = screen();
  const std::lock_guard lock(s.mutex);
  clear_line(s);
}

}  // namespace compress
