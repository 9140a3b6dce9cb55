#include "core/text.h"
#include "core/yaml.h"

#include <charconv>

namespace compress {

namespace {

/// Walks "a.b[2].c" through a tree, making the maps that are missing.
class OverridePath {
public:
  OverridePath(std::string_view path, Place place) : path_(path), place_(std::move(place)) {}

  Yaml& walk(Yaml& root) {
    auto* at = &root;
    if (path_.empty()) throw error("a name is missing in front of '='");
    while (position_ < path_.size()) at = rest().starts_with('[') ? &item(*at) : &entry(*at);
    return *at;
  }

private:
  std::string_view rest() const { return path_.substr(position_); }
  std::string walked() const { return std::string(path_.substr(0, position_)); }

  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return request_error(format, std::forward<Args>(args)...).at(place_);
  }

  Yaml& item(Yaml& list) {
    const auto end = rest().find(']');
    size_t index = 0;
    const auto text = rest().substr(1, end == std::string_view::npos ? 0 : end - 1);
    const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (text.empty() || failed != std::errc{} || stop != text.data() + text.size())
      throw error("behind '{}' stands no index like '[0]'", walked());
    if (!list.is_sequence()) throw error("'{}' is {}, not a list", walked(), list.kind_name());
    if (index >= list.items.size())
      throw error("'{}' has {} items; there is no [{}]", walked(), list.items.size(), index)
          .hint("counting starts at 0");
    position_ += end + 1;
    skip_dot();
    return list.items[index];
  }

  Yaml& entry(Yaml& map) {
    if (!map.is_map() && !map.is_null()) throw error("'{}' is {}, not a map", walked(), map.kind_name());
    const auto key = next_key(map);
    if (key.empty()) throw error("a name is missing behind '{}'", walked());
    position_ += key.size();
    skip_dot();
    if (auto* present = map.find(key)) return *present;
    if (map.is_null()) map.place = place_;
    Yaml none;
    none.place = place_;
    return map.set(key, none);
  }

  void skip_dot() {
    if (position_ == path_.size() || path_[position_] == '[') return;
    if (path_[position_] != '.' || position_ + 1 == path_.size())
      throw error("'{}' cannot follow '{}'", rest(), walked());
    ++position_;
  }

  /// Up to the next dot, unless the map has a longer key: parameter names (conv1.weight) contain dots themselves.
  std::string next_key(const Yaml& map) const {
    const auto ends_key = [](std::string_view behind) {
      return behind.empty() || behind[0] == '.' || behind[0] == '[';
    };
    std::string best(rest().substr(0, rest().find_first_of(".[")));
    for (const auto& key : map.keys)
      if (key.size() > best.size() && rest().starts_with(key) && ends_key(rest().substr(key.size()))) best = key;
    return best;
  }

  std::string_view path_;
  Place place_;
  size_t position_ = 0;
};

/// A flag has no lines to point at.
void set_places(Yaml& value, const Place& place) {
  value.place = place;
  for (auto& key : value.key_places) key = place;
  for (auto& item : value.items) set_places(item, place);
}

}  // namespace

void set_override(Yaml& root, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos)
    throw request_error("'{}' is no assignment", assignment).hint("write --set path.to.key=value");
  const auto path = trim(assignment.substr(0, equals));
  const Place place{fmt::format("--set {}", path)};
  auto value = parse_yaml(assignment.substr(equals + 1), place.file);
  set_places(value, place);
  OverridePath(path, place).walk(root) = std::move(value);
}

}  // namespace compress
