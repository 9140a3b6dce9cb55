#include "graph/scanner.h"

#include "core/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace compress {

namespace {

constexpr std::string_view kNameSigns = "_./:+-@~\\^&!;<'`";
constexpr std::string_view kNumberSigns = "+-.";

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 9> kTypes{{{"float", at::kFloat},
                                                                             {"double", at::kDouble},
                                                                             {"half", at::kHalf},
                                                                             {"bfloat16", at::kBFloat16},
                                                                             {"int8", at::kChar},
                                                                             {"uint8", at::kByte},
                                                                             {"int32", at::kInt},
                                                                             {"int64", at::kLong},
                                                                             {"bool", at::kBool}}};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool in_word(char c, std::string_view signs) {
  return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
         signs.find(c) != std::string_view::npos;
}

}  // namespace

std::string_view type_name(at::ScalarType type) {
  for (const auto& [name, known] : kTypes)
    if (known == type) return name;
  return "unknown";
}

bool is_bare_name(std::string_view name) {
  return !name.empty() && name != "_" && !name.ends_with(':') &&
         std::ranges::all_of(name, [](char c) { return in_word(c, kNameSigns); });
}

void Scanner::skip_blanks() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  if (at_ < text_.size() && text_[at_] == '#')
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
}

void Scanner::mark() {
  skip_blanks();
  marked_ = at_;
}

bool Scanner::next_line() {
  for (skip_blanks(); at_ < text_.size() && text_[at_] == '\n'; skip_blanks()) ++at_;
  return at_ < text_.size();
}

char Scanner::peek() {
  skip_blanks();
  return at_ < text_.size() && text_[at_] != '\n' ? text_[at_] : '\0';
}

bool Scanner::at_line_end() {
  return peek() == '\0';
}

void Scanner::end_line() {
  mark();
  if (const char sign = peek()) throw error(fmt::format("expected the end of the line, found '{}'", sign));
}

bool Scanner::accept(char sign) {
  if (peek() != sign) return false;
  marked_ = at_++;
  return true;
}

void Scanner::expect(char sign) {
  if (accept(sign)) return;
  mark();
  const char found = peek();
  throw error(found ? fmt::format("expected '{}', found '{}'", sign, found)
                    : fmt::format("expected '{}', found the end of the line", sign));
}

std::string Scanner::bare(std::string_view signs) {
  const size_t start = at_;
  while (at_ < text_.size() && in_word(text_[at_], signs)) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

std::string Scanner::name(std::string_view what) {
  mark();
  if (peek() == '"') return quoted();
  std::string word = bare(kNameSigns);
  if (word.size() > 1 && word.ends_with(':')) {  // "parameter name: type"
    word.pop_back();
    --at_;
  }
  if (word.empty()) throw error(fmt::format("expected {}", what));
  return word;
}

std::string Scanner::quoted() {
  expect('"');
  std::string result;
  for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
    if (text_[at_] == '"') {
      ++at_;
      return result;
    }
    const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
    if (escaped) ++at_;
    result += escaped && text_[at_] == 'n' ? '\n' : text_[at_];
  }
  throw error("this text has no closing quote");
}

at::ScalarType Scanner::type() {
  const std::string word = name("an element type");
  std::vector<std::string> known;
  for (const auto& [name, type] : kTypes) {
    if (name == word) return type;
    known.emplace_back(name);
  }
  throw error(fmt::format("unknown element type '{}'; known are {}", word, join_words(known)))
      .hint(did_you_mean(word, known));
}

Shape Scanner::shape() {
  Shape sizes;
  expect('[');
  if (accept(']')) return sizes;
  do {
    if (accept('N')) {
      sizes.push_back(kBatch);
      continue;
    }
    const std::string digits = number("a size");
    int64_t size = -1;
    const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (bad != std::errc{} || end != digits.data() + digits.size() || size < 0)
      throw error(fmt::format("'{}' is no size; a size is a whole number, or N for the batch", digits));
    sizes.push_back(size);
  } while (accept(','));
  expect(']');
  return sizes;
}

std::string Scanner::number(std::string_view what) {
  mark();
  std::string digits = bare(kNumberSigns);
  if (digits.empty()) throw error(fmt::format("expected {}", what));
  return digits;
}

Attribute Scanner::attribute() {
  if (peek() == '"') return quoted();
  if (peek() == '[') return list();
  const std::string digits = number("a value: a number, \"text\" or a [list]");
  const char* const end = digits.data() + digits.size();
  int64_t integer = 0;
  if (const auto read = std::from_chars(digits.data(), end, integer); read.ec == std::errc{} && read.ptr == end)
    return integer;
  char* stop = nullptr;
  const double real = std::strtod(digits.c_str(), &stop);
  if (*stop != '\0') throw error(fmt::format("'{}' is no number; text stands in double quotes", digits));
  return real;
}

Attribute Scanner::list() {
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  expect('[');
  if (accept(']')) {
    if (!accept(':')) return integers;
    const std::string kind = name("'numbers' or 'texts'");
    if (kind == "numbers") return numbers;
    if (kind == "texts") return texts;
    throw error(fmt::format("an empty list is of 'numbers' or 'texts', not '{}'", kind));
  }
  do {
    const Attribute item = attribute();
    if (const auto* integer = std::get_if<int64_t>(&item)) {
      integers.push_back(*integer);
      numbers.push_back(static_cast<double>(*integer));
    } else if (const auto* number = std::get_if<double>(&item)) {
      numbers.push_back(*number);
    } else if (const auto* text = std::get_if<std::string>(&item)) {
      texts.push_back(*text);
    } else {
      throw error("a list holds numbers or texts");
    }
  } while (accept(','));
  expect(']');
  if (!texts.empty() && !numbers.empty()) throw error("a list holds either numbers or texts, not both");
  if (!texts.empty()) return texts;
  if (integers.size() == numbers.size()) return integers;
  return numbers;
}

Attributes Scanner::attributes() {
  Attributes attributes;
  while (!at_line_end()) {
    const std::string key = name("an attribute 'name=value'");
    if (attributes.has(key)) throw error(fmt::format("attribute '{}' is given twice", key));
    expect('=');
    attributes.set(key, attribute());
  }
  return attributes;
}

Error Scanner::error(std::string message) const {
  const auto before = text_.substr(0, std::min(marked_, text_.size()));
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return request_error("{}", message)
      .at({.file = file_, .line = static_cast<int>(line), .column = static_cast<int>(marked_ - line_start) + 1});
}

}  // namespace compress
