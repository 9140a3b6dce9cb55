#pragma once

#include "core/error.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace compress {

/// A YAML value as plain data, each with its place. Tags are refused, aliases are expanded (with a limit on the total
/// size), duplicate keys are errors. Nothing outside core/ sees the YAML library.
struct Yaml {
  enum class Kind { null, scalar, sequence, map };

  Kind kind = Kind::null;
  std::string text;     ///< scalar: its text
  bool quoted = false;  ///< scalar: written in quotes, hence a string
  Place place;
  std::vector<Yaml> items;        ///< sequence: the items; map: the values
  std::vector<std::string> keys;  ///< map: the keys, in the order written
  std::vector<Place> key_places;  ///< map: where each key stands

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_map() const { return kind == Kind::map; }

  /// The value under `key`, or null (the pointer) when this is no map or has no such key.
  const Yaml* find(std::string_view key) const;
  Yaml* find(std::string_view key);
  /// Adds or replaces.
  Yaml& set(std::string key, Yaml value);
  void erase(std::string_view key);
  /// Where the key stands, for messages.
  Place key_place(std::string_view key) const;

  static Yaml scalar(std::string text, bool quoted = false);
  static Yaml sequence(std::vector<Yaml> items = {});
  static Yaml map();
  /// "a map", "a list", "text", "nothing".
  std::string_view kind_name() const;
};

/// Parses one document. Throws a request error with the place.
Yaml parse_yaml(std::string_view text, const std::string& file);
Yaml read_yaml(const std::filesystem::path& path);

/// Applies "path.to.key=value" (the value is YAML); `[i]` indexes lists. Missing maps on the way are made.
void set_override(Yaml& root, std::string_view assignment);

/// As YAML text that parses back to the same data.
std::string to_text(const Yaml& value);

}  // namespace compress
