#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace compress {

/// One updating line on stderr when it is a terminal ("train 3/20  [=====>   ] 120/430  loss 0.412  2:13 left");
/// nothing otherwise.
class Progress {
public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  /// `clock` says what time it is: a line is drawn at most ten times a second.
  Progress(std::string title, int64_t total, Clock clock = &std::chrono::steady_clock::now);
  ~Progress();  ///< clears the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `note` is shown behind the counts ("loss 0.412").
  void update(int64_t done, const std::string& note = {});

  /// False switches all bars off (--quiet, --json).
  static void enable(bool on);
  /// Clears the present bar before something else is written to stderr.
  static void hide();

private:
  std::string title_;
  int64_t total_;
  Clock clock_;
  std::chrono::steady_clock::time_point start_, shown_;
};

}  // namespace compress
