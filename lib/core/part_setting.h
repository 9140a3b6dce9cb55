#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "core/text.h"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <utility>

namespace compress {

/// An argument that is a component of a registry: a word (its class, with default arguments), or a map of `class` and
/// arguments. `T` has declare(Settings&).
template <class T>
class PartSetting {
public:
  /// What other forms mean ("2:4", a number): the map that they are short for; anything else comes back as it is.
  using Expand = Yaml (*)(const Yaml& written);

  /// `value`: the default, null for none.
  PartSetting(std::string name, const Registry<T>& registry, Yaml value, Expand expand = nullptr)
      : name_(std::move(name)), registry_(registry), written_(std::move(value)), expand_(expand) {}

  bool given() const { return !written_.is_null(); }
  std::string class_name() const { return given() ? class_of(expanded(written_)).text : std::string(); }

  /// A component with the arguments that were read. Throws as field().read() does.
  std::unique_ptr<T> make() const { return make(written_); }

  /// `other_forms`: JSON schema of what `expand` understands, null for nothing. `or_none`: null means none.
  Field field(std::string doc, nlohmann::json other_forms = nullptr, bool or_none = false) {
    Field field{.name = name_, .type = "word or map", .doc = std::move(doc)};
    field.read = [this, or_none](const Yaml& value) {
      if (!or_none || !value.is_null()) make(value);
      written_ = value;
    };
    field.print = [this] { return written_; };
    field.schema = [this, or_none, other_forms = std::move(other_forms)] {
      auto forms = nlohmann::json::array({{{"enum", registry_.names()}}});
      if (or_none) forms.push_back({{"type", "null"}});
      if (!other_forms.is_null()) forms.push_back(other_forms);
      for (const auto* entry : registry_.entries()) forms.push_back(schema_of(*entry));
      return nlohmann::json{{"anyOf", std::move(forms)}};
    };
    return field;
  }

private:
  Yaml expanded(const Yaml& written) const { return expand_ ? expand_(written) : written; }

  Yaml class_of(const Yaml& part) const {
    if (part.is_scalar()) return part;
    if (!part.is_map())
      throw request_error("'{}' must be a word or a map of 'class' and arguments, not {}", name_, part.kind_name())
          .at(part.place);
    const auto* word = part.find("class");
    if (!word) throw request_error("'{}' lacks 'class'", name_).at(part.place).hint(all_names());
    if (!word->is_scalar()) throw request_error("the 'class' of '{}' must be a word", name_).at(word->place);
    return *word;
  }

  std::unique_ptr<T> make(const Yaml& written) const {
    const auto part = expanded(written);
    const auto word = class_of(part);
    const auto* entry = registry_.find(word.text);
    if (!entry)
      throw request_error("unknown {} '{}'", registry_.kind(), word.text)
          .at(word.place)
          .hint(did_you_mean(word.text, registry_.names()))
          .hint(all_names());
    auto component = entry->make();
    Settings settings;
    component->declare(settings);
    auto arguments = part.is_map() ? part : Yaml::map();
    arguments.place = part.place;
    settings.read(arguments, fmt::format("{} '{}'", registry_.kind(), word.text), {"class"});
    return component;
  }

  std::string all_names() const { return "one of " + join_words(registry_.names(), "or"); }

  static nlohmann::json schema_of(const Entry<T>& entry) {
    const auto component = entry.make();
    Settings settings;
    component->declare(settings);
    auto schema = settings.schema();
    schema["properties"]["class"] = {{"const", entry.name}};
    schema["required"].push_back("class");
    schema["description"] = entry.doc;
    return schema;
  }

  std::string name_;
  const Registry<T>& registry_;
  Yaml written_;
  Expand expand_;
};

}  // namespace compress
