#include "data/forms.h"

#include "core/text.h"

namespace compress::data {

namespace {

bool is_none(const Yaml& value) {
  return value.is_scalar() && value.text == "none";
}

/// Reads the map, or refuses anything else with a message that says both forms.
void read_form(const Yaml& value, const Settings& settings, const std::string& name, const std::string& form) {
  if (!value.is_map())
    throw request_error("{} takes {} or 'none', not {}", name, form,
                        value.is_scalar() ? "'" + value.text + "'" : std::string(value.kind_name()))
        .at(value.place);
  settings.read(value, name);
}

std::string names_of(const Settings& settings) {
  std::vector<std::string> names;
  for (const auto& field : settings.fields()) names.push_back(field.name);
  return join(names, ", ");
}

nlohmann::json map_or_none(const nlohmann::json& map) {
  return {{"anyOf", nlohmann::json::array({map, nlohmann::json{{"const", "none"}}})}};
}

void declare_normalization(Settings& settings, Normalization& normalization) {
  settings.optional("mean", normalization.mean,
                    "mean of each channel, of pixels between 0 and 1; absent: the usual one");
  settings.optional("std", normalization.std, "standard deviation of each channel; absent: the usual one", above(0));
}

void check_normalization(const Normalization& read, Place place) {
  const bool half = read.mean.empty() != read.std.empty();  // the other half comes from the model or the data set
  if (!half && (read.mean.empty() || read.mean.size() != read.std.size()))
    throw request_error("normalize has {} means and {} standard deviations; one of each for every channel",
                        read.mean.size(), read.std.size())
        .at(std::move(place));
}

}  // namespace

Field normalization_field(std::function<void(Normalization)> set, std::function<std::optional<Normalization>()> get) {
  Field field{
      .name = "normalize", .type = "map {mean, std} or 'none'", .doc = "(pixel/255 - mean) / std; none: pixel/255"};
  field.read = [set](const Yaml& value) {
    if (value.is_null()) return;  // as if it were absent
    Normalization read;
    if (!is_none(value)) {
      Settings settings;
      declare_normalization(settings, read);
      read_form(value, settings, "normalize", "a map {mean: [...], std: [...]}");
      check_normalization(read, value.place);
    }
    set(std::move(read));
  };
  field.print = [get] {
    auto present = get();
    if (!present) return Yaml{};
    if (present->mean.empty()) return Yaml::scalar("none");
    Settings settings;
    declare_normalization(settings, *present);
    return settings.print();
  };
  field.schema = [] {
    Normalization any;
    Settings settings;
    declare_normalization(settings, any);
    return map_or_none(settings.schema());
  };
  return field;
}

Field augmentation_field(std::function<void(Augmentation)> set, std::function<std::optional<Augmentation>()> get) {
  Field field{.name = "augment", .type = "map or 'none'", .doc = "random changes of the training images"};
  field.read = [set](const Yaml& value) {
    if (value.is_null()) return;  // as if it were absent
    Augmentation read;
    if (!is_none(value)) {
      Settings settings;
      read.declare(settings);
      read_form(value, settings, "augment", "a map {" + names_of(settings) + "}");
    }
    set(read);
  };
  field.print = [get] {
    auto present = get();
    if (!present) return Yaml{};
    Settings settings;
    present->declare(settings);
    return settings.print();
  };
  field.schema = [] {
    Augmentation any;
    Settings settings;
    any.declare(settings);
    return map_or_none(settings.schema());
  };
  return field;
}

Field interval_field(std::string name, std::string doc, double& low, double& high, Range range) {
  Field field{.name = name, .type = "list of two numbers", .doc = std::move(doc), .range = range.str()};
  field.read = [&low, &high, name, range](const Yaml& value) {
    const auto ends = from_yaml<std::vector<double>>(value, name, range);
    if (ends.size() != 2 || ends[0] > ends[1])
      throw request_error("{} takes two numbers [smallest, largest]", name).at(value.place);
    low = ends[0];
    high = ends[1];
  };
  field.print = [&low, &high] {
    return Yaml::sequence({Yaml::scalar(fmt::format("{}", low)), Yaml::scalar(fmt::format("{}", high))});
  };
  field.schema = [] {
    return nlohmann::json{{"type", "array"}, {"items", {{"type", "number"}}}, {"minItems", 2}, {"maxItems", 2}};
  };
  return field;
}

Field map_or_none_field(MapForm form) {
  Field field{.name = form.name, .type = "map or 'none'", .doc = form.doc, .print = form.print};
  field.read = [form](const Yaml& value) {
    if (value.is_null()) return;  // as if it were absent
    if (is_none(value)) return form.clear();
    if (!value.is_map())
      throw request_error("{} takes a map (perhaps empty: {{}}) or 'none', not {}", form.name,
                          value.is_scalar() ? "'" + value.text + "'" : std::string(value.kind_name()))
          .at(value.place);
    form.set(value);
  };
  field.schema = [form] { return map_or_none(form.schema()); };
  return field;
}

}  // namespace compress::data
