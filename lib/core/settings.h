#pragma once

#include "core/yaml.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace compress {

/// The allowed range of a number; the ends are part of it unless `open_low` / `open_high`.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  bool open_high = false;

  bool contains(double x) const;
  /// "in [0, 1)", "at least 1", "" when unbounded.
  std::string str() const;
};

constexpr Range in(double low, double high) {
  return {.low = low, .high = high};
}
constexpr Range at_least(double low) {
  return {.low = low};
}
constexpr Range above(double low) {
  return {.low = low, .open_low = true};
}
constexpr Range half_open(double low, double high) {
  return {.low = low, .high = high, .open_high = true};
}

/// One declared argument of a component: from this come parsing, errors, `explain`, the JSON schema and the printed
/// recipe.
struct Field {
  std::string name;
  std::string type;   ///< "number", "integer", "boolean", "text", "list of ...", "map of ...", "one of a | b"
  std::string doc;    ///< one line
  std::string range;  ///< Range::str(), or ""
  bool required = false;
  std::function<void(const Yaml&)> read;   ///< sets the target; throws with place
  std::function<Yaml()> print;             ///< the target's present value
  std::function<nlohmann::json()> schema;  ///< JSON schema of the value
};

/// The declared arguments of one component. A component's `declare(Settings&)` binds each argument to a member, once:
///
///     void declare(Settings& s) {
///       s.required("final_sparsity", final_, "sparsity to end with", half_open(0, 1));
///       s.optional("frequency", frequency_, "epochs between two steps", at_least(1));
///       s.choice("group_type", group_, {{"Filters", Group::filters}, {"3D", Group::filters}}, "what is removed
///       together");
///     }
///
/// Supported targets: bool, int64_t, int, double, std::string, std::vector<T>, std::map<std::string, T>,
/// std::optional<T>, Yaml (raw).
class Settings {
public:
  template <class T>
  void required(std::string name, T& target, std::string doc, Range range = {}) {
    add(std::move(name), target, std::move(doc), range, true);
  }
  /// The member's present value is the default.
  template <class T>
  void optional(std::string name, T& target, std::string doc, Range range = {}) {
    add(std::move(name), target, std::move(doc), range, false);
  }
  /// An enumerator by name. Several names may mean one enumerator; the first is the one printed.
  template <class Enum>
  void choice(std::string name,
              Enum& target,
              std::vector<std::pair<std::string, Enum>> names,
              std::string doc,
              bool required = false) {
    std::vector<std::string> words;
    for (const auto& [word, value] : names) words.push_back(word);
    add_choice(
        std::move(name), std::move(words), std::move(doc), required,
        [&target, names](size_t i) { target = names[i].second; },
        [&target, names] {
          for (size_t i = 0; i < names.size(); ++i)
            if (names[i].second == target) return i;
          return size_t{0};
        });
  }
  /// An argument whose form is its owner's (a map with its own declaration, or a word): `read` and `print` do the work.
  void custom(Field field) { fields_.push_back(std::move(field)); }
  /// Accepted and checked to be absent from then on: a key that old files carry but that has no effect; a warning says
  /// `why`.
  void ignored(std::string name, std::string why);

  /// Reads a map into the targets: unknown keys (with the nearest known one), wrong types, values out of range and
  /// missing required arguments are collected and thrown together. `skip` names keys that the caller reads itself
  /// ("class"). `owner` names the component in messages.
  void read(const Yaml& map, std::string_view owner, const std::vector<std::string>& skip = {}) const;

  /// The present values as a map, in declaration order.
  Yaml print() const;
  nlohmann::json schema() const;
  const std::vector<Field>& fields() const { return fields_; }

private:
  template <class T>
  void add(std::string name, T& target, std::string doc, Range range, bool required);
  void add_choice(std::string name,
                  std::vector<std::string> words,
                  std::string doc,
                  bool required,
                  std::function<void(size_t)> set,
                  std::function<size_t()> get);

  std::vector<Field> fields_;
  std::vector<std::pair<std::string, std::string>> ignored_;
};

/// Conversions of one YAML value, with a message that says what was expected and what stands there. `what` names the
/// value.
template <class T>
T from_yaml(const Yaml& value, std::string_view what, Range range = {});

}  // namespace compress
