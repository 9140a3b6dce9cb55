#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace compress {

/// One updating line on stderr when it is a terminal ("train 3/20  [=====>   ] 120/430  loss 0.412  2:13 left");
/// nothing otherwise.
class Progress {
public:
  Progress(std::string title, int64_t total);
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
  std::chrono::steady_clock::time_point start_, shown_;
};

}  // namespace compress
