#include "core/yaml_scalar.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace compress {

namespace {

/// YAML's three spellings: true, True, TRUE.
bool is_spelling_of(std::string_view text, std::string_view word) {
  if (to_lower(text) != word) return false;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto rest = text.substr(1);
  return std::ranges::none_of(rest, is_upper) || (is_upper(text[0]) && std::ranges::all_of(rest, is_upper));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Takes the sign off; true when it was a minus.
bool take_sign(std::string_view& text) {
  if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  return negative;
}

/// Digits without the underscores between them; "" when one stands elsewhere.
std::string without_underscores(std::string_view text) {
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_')
      digits += text[i];
    else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1]))
      return "";
  }
  return digits;
}

/// "007": octal for YAML 1.1, decimal for 1.2.
bool has_leading_zero(std::string_view digits) {
  return digits.size() > 1 && digits[0] == '0' && is_digit(digits[1]);
}

}  // namespace

bool is_yaml_null(std::string_view text) {
  return text.empty() || text == "~" || is_spelling_of(text, "null");
}

std::optional<bool> yaml_bool(std::string_view text) {
  if (text.empty()) return std::nullopt;
  for (const auto* word : {"true", "yes", "on"})
    if (is_spelling_of(text, word)) return true;
  for (const auto* word : {"false", "no", "off"})
    if (is_spelling_of(text, word)) return false;
  return std::nullopt;
}

YamlNumber<int64_t> yaml_integer(std::string_view text) {
  const std::string sign = take_sign(text) ? "-" : "";
  auto plain = without_underscores(text);
  const int base = plain.starts_with("0x") ? 16 : plain.starts_with("0o") ? 8 : 10;
  if (base != 10) plain.erase(0, 2);
  if (plain.empty() || (base == 10 && has_leading_zero(plain)) || plain[0] == '-') return {};
  // With the sign in front, the smallest number has no special case.
  const auto digits = sign + plain;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return {};
  return {error == std::errc{} ? NumberForm::good : NumberForm::too_large, value};
}

YamlNumber<double> yaml_double(std::string_view text) {
  if (const auto whole = yaml_integer(text); whole.form == NumberForm::good)
    return {NumberForm::good, static_cast<double>(whole.value)};
  const double sign = take_sign(text) ? -1 : 1;
  const auto lower = to_lower(text);
  if (lower == ".inf") return {NumberForm::good, sign * std::numeric_limits<double>::infinity()};
  if (lower == ".nan") return {NumberForm::good, std::numeric_limits<double>::quiet_NaN()};
  const auto digits = without_underscores(text);
  const bool starts_well = !digits.empty() && (is_digit(digits[0]) || (digits[0] == '.' && digits.size() > 1));
  if (!starts_well || has_leading_zero(digits)) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || error == std::errc::invalid_argument) return {};
  return {error == std::errc{} ? NumberForm::good : NumberForm::too_large, sign * value};
}

bool is_yaml_string(std::string_view text) {
  return !is_yaml_null(text) && !yaml_bool(text) && yaml_integer(text).form == NumberForm::none &&
         yaml_double(text).form == NumberForm::none;
}

std::string number_text(double number) {
  if (std::isnan(number)) return ".nan";
  if (std::isinf(number)) return number < 0 ? "-.inf" : ".inf";
  return fmt::format("{}", number);
}

}  // namespace compress
