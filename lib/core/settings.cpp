#include "core/settings.h"

#include "core/convert.h"
#include "core/log.h"
#include "core/text.h"

#include <algorithm>
#include <cmath>

namespace compress {

namespace {

std::string in_owner(std::string_view owner) {
  return owner.empty() ? "" : fmt::format(" in {}", owner);
}

std::string summary(const Field& field) {
  const auto limits = field.range.empty() ? "" : " " + field.range;
  return fmt::format("'{}' is {}{}: {}", field.name, with_article(field.type), limits, field.doc);
}

void warn_ignored(const Place& place, std::string_view key, std::string_view owner, std::string_view why) {
  const auto where = place.str();
  log::warning("{}{}'{}'{} has no effect: {}", where, where.empty() ? "" : ": ", key, in_owner(owner), why);
}

}  // namespace

bool Range::contains(double x) const {
  return (open_low ? x > low : x >= low) && (open_high ? x < high : x <= high);
}

std::string Range::str() const {
  const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
  if (has_low && has_high) return fmt::format("in {}{}, {}{}", open_low ? '(' : '[', low, high, open_high ? ')' : ']');
  if (has_low) return fmt::format("{} {}", open_low ? "above" : "at least", low);
  if (has_high) return fmt::format("{} {}", open_high ? "below" : "at most", high);
  return "";
}

template <class T>
void Settings::add(std::string name, T& target, std::string doc, Range range, bool required) {
  Field field{
      .name = name, .type = Convert<T>::type(), .doc = std::move(doc), .range = range.str(), .required = required};
  field.read = [&target, name, range](const Yaml& value) { target = Convert<T>::read(value, name, range); };
  field.print = [&target] { return Convert<T>::print(target); };
  field.schema = [range] { return Convert<T>::schema(range); };
  fields_.push_back(std::move(field));
}

void Settings::add_choice(std::string name,
                          std::vector<std::string> words,
                          std::string doc,
                          bool required,
                          std::function<void(size_t)> set,
                          std::function<size_t()> get) {
  Field field{
      .name = name, .type = "one of " + join(words, " | "), .doc = std::move(doc), .range = "", .required = required};
  field.read = [name, words, set](const Yaml& value) {
    const auto it = value.is_scalar() ? std::ranges::find(words, value.text) : words.end();
    if (it == words.end())
      throw type_error(value, name, (words.size() > 1 ? "one of " : "") + join_words(words, "or"))
          .hint(value.is_scalar() ? did_you_mean(value.text, words) : "");
    set(static_cast<size_t>(it - words.begin()));
  };
  field.print = [words, get] { return Yaml::scalar(words[get()], true); };
  field.schema = [words] { return nlohmann::json{{"enum", words}}; };
  fields_.push_back(std::move(field));
}

void Settings::ignored(std::string name, std::string why) {
  ignored_.emplace_back(std::move(name), std::move(why));
}

void Settings::read(const Yaml& map, std::string_view owner, const std::vector<std::string>& skip) const {
  if (!map.is_map() && !map.is_null())
    throw request_error("the arguments{} must be a map, not {}", in_owner(owner), describe(map)).at(map.place);
  Problems problems;
  auto known = skip;
  for (const auto& field : fields_) known.push_back(field.name);
  for (const auto& key : map.keys) {
    const auto ignored = std::ranges::find(ignored_, key, [](const auto& entry) { return entry.first; });
    if (ignored != ignored_.end())
      warn_ignored(map.key_place(key), key, owner, ignored->second);
    else if (std::ranges::find(known, key) == known.end())
      problems.add(request_error("unknown key '{}'{}", key, in_owner(owner))
                       .at(map.key_place(key))
                       .hint(did_you_mean_or_allowed(key, known)));
  }
  for (const auto& field : fields_) {
    if (const auto* value = map.find(field.name))
      problems.capture([&] { field.read(*value); });
    else if (field.required)
      problems.add(request_error("missing '{}'{}", field.name, in_owner(owner)).at(map.place).hint(summary(field)));
  }
  problems.raise();
}

Yaml Settings::print() const {
  auto map = Yaml::map();
  for (const auto& field : fields_) map.set(field.name, field.print());
  return map;
}

nlohmann::json Settings::schema() const {
  auto properties = nlohmann::json::object();
  auto required = nlohmann::json::array();
  for (const auto& field : fields_) {
    auto property = field.schema();
    property["description"] = field.doc;
    if (field.required)
      required.push_back(field.name);
    else
      property["default"] = to_json(field.print());
    properties[field.name] = std::move(property);
  }
  for (const auto& [name, why] : ignored_) properties[name] = {{"description", "has no effect: " + why}};
  nlohmann::json schema = {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

template <class T>
T from_yaml(const Yaml& value, std::string_view what, Range range) {
  return Convert<T>::read(value, what, range);
}

#define COMPRESS_SETTING(...)                                                                                          \
  template void Settings::add(std::string, __VA_ARGS__&, std::string, Range, bool);                                    \
  template __VA_ARGS__ from_yaml<__VA_ARGS__>(const Yaml&, std::string_view, Range);
COMPRESS_SETTING(bool)
COMPRESS_SETTING(int)
COMPRESS_SETTING(int64_t)
COMPRESS_SETTING(double)
COMPRESS_SETTING(std::string)
COMPRESS_SETTING(Yaml)
COMPRESS_SETTING(std::vector<bool>)
COMPRESS_SETTING(std::vector<int>)
COMPRESS_SETTING(std::vector<int64_t>)
COMPRESS_SETTING(std::vector<double>)
COMPRESS_SETTING(std::vector<std::string>)
COMPRESS_SETTING(std::vector<Yaml>)
COMPRESS_SETTING(std::vector<std::vector<int64_t>>)
COMPRESS_SETTING(std::vector<std::vector<std::string>>)
COMPRESS_SETTING(std::map<std::string, int64_t>)
COMPRESS_SETTING(std::map<std::string, double>)
COMPRESS_SETTING(std::map<std::string, std::string>)
COMPRESS_SETTING(std::map<std::string, std::vector<std::string>>)
COMPRESS_SETTING(std::map<std::string, Yaml>)
COMPRESS_SETTING(std::optional<bool>)
COMPRESS_SETTING(std::optional<int>)
COMPRESS_SETTING(std::optional<int64_t>)
COMPRESS_SETTING(std::optional<double>)
COMPRESS_SETTING(std::optional<std::string>)
COMPRESS_SETTING(std::optional<std::vector<std::string>>)
#undef COMPRESS_SETTING

}  // namespace compress
