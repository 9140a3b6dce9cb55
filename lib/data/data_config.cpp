#include "data/forms.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace compress::data {

namespace {

constexpr const char* kSplitNames[] = {"train", "validation", "test"};

using Limits = std::map<std::string, std::optional<int64_t>>;

void declare_limits(Settings& settings, Limits& limits) {
  for (const char* split : kSplitNames)
    settings.optional(split, limits[split], fmt::format("at most so many {} samples", split), at_least(1));
}

Field limits_field(std::map<std::string, int64_t>& target) {
  Field field{
      .name = "limits", .type = "map of integer", .doc = "at most so many samples of each split, chosen by seed"};
  field.read = [&target](const Yaml& value) {
    Limits limits;
    Settings settings;
    declare_limits(settings, limits);
    settings.read(value, "limits");
    target.clear();
    for (const auto& [split, limit] : limits)
      if (limit) target.emplace(split, *limit);
  };
  field.print = [&target] {
    Yaml map = Yaml::map();
    for (const auto& [split, limit] : target) map.set(split, Yaml::scalar(std::to_string(limit)));
    return map;
  };
  field.schema = [] {
    Limits limits;
    Settings settings;
    declare_limits(settings, limits);
    return settings.schema();
  };
  return field;
}

}  // namespace

void DataConfig::declare(Settings& s) {
  s.optional("name", name, "data set (compress list datasets), or a YAML file that describes one; absent: --data");
  s.optional("path", path, "folder with its files; absent: where they usually are");
  s.optional("shape", shape, "sizes of an image [channels, height, width]; absent: the data set's", at_least(1));
  s.optional("format_settings", format_settings, "arguments of the data set's format, over the data set's own");
  s.optional("batch_size", batch_size, "samples in a mini-batch", at_least(1));
  s.custom(normalization_field(
      [this](Normalization read) {
        const bool half = read.mean.empty() != read.std.empty();
        if (!half || !read.mean.empty()) mean = std::move(read.mean);
        if (!half || !read.std.empty()) std = std::move(read.std);
      },
      [this]() -> std::optional<Normalization> {
        if (!mean || !std) return {};
        return Normalization{*mean, *std};
      }));
  s.custom(augmentation_field([this](Augmentation read) { augmentation = read; }, [this] { return augmentation; }));
  s.optional("validation_split", validation_split, "share of the training samples held out for validation, by seed",
             half_open(0, 1));
  s.custom(limits_field(limits));
  s.optional("prefetch", prefetch, "batches made ahead, each by a thread of its own (one a core at most); 0: none",
             in(0, 1024));
}

void DataConfig::set_source(std::string_view spec) {
  const bool is_file = std::filesystem::is_regular_file(spec);
  const size_t colon = is_file ? std::string_view::npos : spec.find(':');
  name = spec.substr(0, colon);
  path = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
  if (name.empty())
    throw request_error("'{}' names no data set", spec)
        .hint("write NAME or NAME:FOLDER, for example cifar10:data/cifar10");
}

}  // namespace compress::data
