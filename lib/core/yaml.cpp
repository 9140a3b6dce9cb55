#include "core/yaml.h"

#include <algorithm>

namespace compress {

namespace {

constexpr size_t kNoKey = static_cast<size_t>(-1);

size_t index_of(const Yaml& map, std::string_view key) {
  const auto it = std::ranges::find(map.keys, key);
  return it == map.keys.end() ? kNoKey : static_cast<size_t>(it - map.keys.begin());
}

}  // namespace

const Yaml* Yaml::find(std::string_view key) const {
  const auto i = is_map() ? index_of(*this, key) : kNoKey;
  return i == kNoKey ? nullptr : &items[i];
}

Yaml* Yaml::find(std::string_view key) {
  return const_cast<Yaml*>(std::as_const(*this).find(key));
}

Yaml& Yaml::set(std::string key, Yaml value) {
  kind = Kind::map;
  if (auto* present = find(key)) return *present = std::move(value);
  keys.push_back(std::move(key));
  key_places.push_back(value.place);
  return items.emplace_back(std::move(value));
}

void Yaml::erase(std::string_view key) {
  const auto i = is_map() ? index_of(*this, key) : kNoKey;
  if (i == kNoKey) return;
  const auto at = static_cast<std::ptrdiff_t>(i);
  keys.erase(keys.begin() + at);
  key_places.erase(key_places.begin() + at);
  items.erase(items.begin() + at);
}

Place Yaml::key_place(std::string_view key) const {
  const auto i = is_map() ? index_of(*this, key) : kNoKey;
  return i == kNoKey ? place : key_places[i];
}

Yaml Yaml::scalar(std::string text, bool quoted) {
  Yaml value;
  value.kind = Kind::scalar;
  value.text = std::move(text);
  value.quoted = quoted;
  return value;
}

Yaml Yaml::sequence(std::vector<Yaml> items) {
  Yaml value;
  value.kind = Kind::sequence;
  value.items = std::move(items);
  return value;
}

Yaml Yaml::map() {
  Yaml value;
  value.kind = Kind::map;
  return value;
}

std::string_view Yaml::kind_name() const {
  switch (kind) {
  case Kind::null: return "nothing";
  case Kind::scalar: return "text";
  case Kind::sequence: return "a list";
  case Kind::map: return "a map";
  }
  return "";
}

}  // namespace compress
