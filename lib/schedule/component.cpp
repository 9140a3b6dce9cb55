#include "schedule/component.h"

#include "core/text.h"

#include <optional>

namespace compress::schedule {

namespace {

std::vector<std::string> quoted_words(const Error& error) {
  auto texts = error.contexts();
  texts.insert(texts.begin(), error.message());
  std::vector<std::string> words;
  for (const auto& text : texts) {
    const auto parts = split(text, '\'');
    for (size_t i = 1; i + 1 < parts.size(); i += 2) words.push_back(parts[i]);
  }
  return words;
}

std::optional<Place> find_word(const Yaml& value, const std::string& word) {
  if (value.is_scalar() && value.text == word) return value.place;
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (value.is_map() && value.keys[i] == word) return value.key_places[i];
    if (const auto found = find_word(value.items[i], word)) return found;
  }
  return std::nullopt;
}

}  // namespace

Error with_place(Error error, const Yaml& entry) {
  for (const auto& word : quoted_words(error))
    if (const auto place = find_word(entry, word)) return error.at(*place);
  return error.at(entry.place);
}

std::string class_of(const Yaml& entry, const std::string& what) {
  if (!entry.is_map())
    throw request_error("{} must be a map with 'class' and arguments, not {}", what, entry.kind_name()).at(entry.place);
  const auto* name = entry.find("class");
  if (!name) throw request_error("{} lacks 'class'", what).at(entry.place);
  return within(fmt::format("reading {}", what), [&] { return from_yaml<std::string>(*name, "class"); });
}

void read_arguments(const Settings& settings,
                    const Yaml& entry,
                    const std::string& owner,
                    const std::vector<std::string>& skip) {
  auto written = entry;
  for (const auto& field : settings.fields()) {
    auto* value = written.find(field.name);
    if (!value || field.type != "list of text" || !value->is_scalar()) continue;
    const auto word = *value;
    *value = Yaml::sequence({word});
    value->place = word.place;
  }
  settings.read(written, owner, skip);
}

}  // namespace compress::schedule
