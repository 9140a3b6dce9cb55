#include "core/text.h"
#include "data/embedded.h"
#include "data/forms.h"

#include <algorithm>
#include <filesystem>

namespace compress::data {

namespace {

/// What the declaration alone cannot say.
void check_info(const DatasetInfo& info, const Yaml& yaml) {
  Problems problems;
  problems.capture([&] {
    const auto format = formats().make(info.format);
    Settings settings;
    format->declare(settings);
    settings.read(info.format_settings, info.format);
    format->fields(info);
  });
  if ((yaml.find("shape") && info.shape.empty()) ||
      std::ranges::any_of(info.shape, [](int64_t size) { return size < 1; }))
    problems.add(request_error("data set '{}': shape takes at least one size, all positive", info.name)
                     .at(yaml.key_place("shape")));
  if (!info.class_names.empty() && std::ssize(info.class_names) != info.classes)
    problems.add(request_error("data set '{}' has {} classes but {} class names", info.name, info.classes,
                               info.class_names.size())
                     .at(yaml.key_place("class_names")));
  problems.raise();
}

DatasetInfo read_info(const Yaml& yaml, std::string name) {
  DatasetInfo info;
  info.name = std::move(name);
  Settings settings;
  info.declare(settings);
  settings.read(yaml, "data set '" + info.name + "'");
  check_info(info, yaml);
  return info;
}

}  // namespace

void DatasetInfo::declare(Settings& s) {
  s.optional("doc", doc, "one line for people");
  s.optional("task", task, "the task it is for, unless training.task says otherwise; '': as its fields suggest");
  s.required("format", format, "format of its files");
  s.optional("format_settings", format_settings, "arguments of the format");
  s.optional("shape", shape, "sizes of an image (channels, height, width) or vector; absent: as the files say");
  s.optional("classes", classes, "number of classes; 0: as the files say, or none", at_least(0));
  s.optional("class_names", class_names, "their names, in order");
  s.custom(normalization_field(
      [this](Normalization read) {
        mean = std::move(read.mean);
        std = std::move(read.std);
      },
      [this] {
        return Normalization{mean, std};
      }));
  s.custom(augmentation_field([this](Augmentation read) { augmentation = read; }, [this] { return augmentation; }));
  s.optional("look_in", look_in, "folders where the files usually are");
  s.optional("get", get, "how to get the files");
}

DatasetInfo dataset_info(std::string_view name) {
  if (name.ends_with(".yaml") || name.ends_with(".yml")) {
    const std::filesystem::path path(name);
    auto info = read_info(read_yaml(path), path.stem().string());
    for (auto& folder : info.look_in) folder = (path.parent_path() / folder).string();
    return info;
  }
  for (const auto& [known, text] : embedded_datasets())
    if (known == name) return read_info(parse_yaml(text, fmt::format("datasets/{}.yaml", name)), std::string(name));
  throw request_error("unknown data set '{}'", name)
      .hint(did_you_mean(name, dataset_names()))
      .hint(
          fmt::format("known: {}; or give the path of a YAML file that describes yours", join(dataset_names(), ", ")));
}

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded_datasets()) names.emplace_back(file.name);
  return names;
}

}  // namespace compress::data
