#pragma once

#include "core/settings.h"

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace compress {

// Between YAML values and C++ types; for settings.cpp only.

/// What stands there, for messages: "text 'abc'", "0.5", "a list", "nothing".
std::string describe(const Yaml& value);
Error type_error(const Yaml& value, std::string_view what, const std::string& expected);
/// "number" -> "a number", "text" -> "text".
std::string with_article(const std::string& type);
/// "number" -> "numbers", "list of numbers" -> "lists of numbers".
std::string plural(const std::string& type);
nlohmann::json to_json(const Yaml& value);

/// Per type: its name, reading, printing, and its JSON schema. `range` holds for the numbers in it.
template <class T>
struct Convert;

#define COMPRESS_SCALAR_CONVERT(T)                                                                                     \
  template <>                                                                                                          \
  struct Convert<T> {                                                                                                  \
    static std::string type();                                                                                         \
    static T read(const Yaml& value, std::string_view what, const Range& range);                                       \
    static Yaml print(const T& value);                                                                                 \
    static nlohmann::json schema(const Range& range);                                                                  \
  };
COMPRESS_SCALAR_CONVERT(bool)
COMPRESS_SCALAR_CONVERT(int)
COMPRESS_SCALAR_CONVERT(int64_t)
COMPRESS_SCALAR_CONVERT(double)
COMPRESS_SCALAR_CONVERT(std::string)
COMPRESS_SCALAR_CONVERT(Yaml)
#undef COMPRESS_SCALAR_CONVERT

template <class T>
struct Convert<std::vector<T>> {
  static std::string type() { return "list of " + plural(Convert<T>::type()); }
  static std::vector<T> read(const Yaml& value, std::string_view what, const Range& range) {
    if (!value.is_sequence()) throw type_error(value, what, with_article(type()));
    std::vector<T> items;
    Problems problems;
    for (size_t i = 0; i < value.items.size(); ++i)
      problems.capture(
          [&] { items.push_back(Convert<T>::read(value.items[i], fmt::format("{}[{}]", what, i), range)); });
    problems.raise();
    return items;
  }
  static Yaml print(const std::vector<T>& items) {
    auto value = Yaml::sequence();
    for (const T& item : items) value.items.push_back(Convert<T>::print(item));
    return value;
  }
  static nlohmann::json schema(const Range& range) { return {{"type", "array"}, {"items", Convert<T>::schema(range)}}; }
};

template <class T>
struct Convert<std::map<std::string, T>> {
  static std::string type() { return "map of " + plural(Convert<T>::type()); }
  static std::map<std::string, T> read(const Yaml& value, std::string_view what, const Range& range) {
    if (!value.is_map()) throw type_error(value, what, with_article(type()));
    std::map<std::string, T> entries;
    Problems problems;
    for (size_t i = 0; i < value.items.size(); ++i) {
      const auto& key = value.keys[i];
      problems.capture(
          [&] { entries[key] = Convert<T>::read(value.items[i], fmt::format("{}.{}", what, key), range); });
    }
    problems.raise();
    return entries;
  }
  static Yaml print(const std::map<std::string, T>& entries) {
    auto value = Yaml::map();
    for (const auto& [key, entry] : entries) value.set(key, Convert<T>::print(entry));
    return value;
  }
  static nlohmann::json schema(const Range& range) {
    return {{"type", "object"}, {"additionalProperties", Convert<T>::schema(range)}};
  }
};

template <class T>
struct Convert<std::optional<T>> {
  static std::string type() { return Convert<T>::type(); }
  static std::optional<T> read(const Yaml& value, std::string_view what, const Range& range) {
    if (value.is_null()) return std::nullopt;
    return Convert<T>::read(value, what, range);
  }
  static Yaml print(const std::optional<T>& value) { return value ? Convert<T>::print(*value) : Yaml{}; }
  static nlohmann::json schema(const Range& range) {
    auto null = nlohmann::json{{"type", "null"}};
    return {{"anyOf", {Convert<T>::schema(range), std::move(null)}}};
  }
};

}  // namespace compress
