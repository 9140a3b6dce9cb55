#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

/// The known word nearest to `word` (Damerau-Levenshtein distance, case ignored), or "" when none is near enough to be
/// meant.
std::string nearest(std::string_view word, std::span<const std::string> known);

/// "did you mean 'x'?", or "" when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

/// "did you mean 'x'?", or when nothing is near "allowed: a, b and c"; "" when nothing is known.
std::string did_you_mean_or_allowed(std::string_view word, std::span<const std::string> known);

/// "a, b and c".
std::string join_words(std::span<const std::string> words, std::string_view last = "and");
std::string join(std::span<const std::string> words, std::string_view separator);

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

/// 40813184 -> "40,813,184".
std::string with_commas(int64_t number);
/// 1536 -> "1.5 KiB".
std::string human_bytes(int64_t bytes);
/// 83.2 s -> "1:23".
std::string human_time(double seconds);
/// [16, 3, 3, 3] -> "16x3x3x3"; empty -> "scalar".
std::string shape_text(std::span<const int64_t> shape);

/// Shell-style pattern: '*' any run of characters, '?' one.
bool glob_match(std::string_view pattern, std::string_view text);
/// True when `text` uses '*' or '?'.
bool is_glob(std::string_view text);

/// A table for a terminal: numbers to the right, text to the left.
class Table {
public:
  explicit Table(std::vector<std::string> header);
  void row(std::vector<std::string> cells);
  /// Aligned columns with a rule under the header.
  std::string str() const;
  std::string csv() const;
  const std::vector<std::string>& header() const { return header_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }

private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace compress
