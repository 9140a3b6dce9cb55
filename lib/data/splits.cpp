#include "core/random.h"
#include "core/text.h"
#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

namespace compress::data {

namespace {

std::unique_ptr<Format> make_format(const DatasetInfo& info) {
  auto format = formats().make(info.format);
  Settings settings;
  format->declare(settings);
  settings.read(info.format_settings, info.format);
  return format;
}

/// The data set's description with what the configuration says otherwise.
DatasetInfo described(const DataConfig& config) {
  auto info = dataset_info(config.name);
  if (!config.shape.empty()) info.shape = config.shape;
  if (!config.format_settings.is_null() && !config.format_settings.is_map())
    throw request_error("data.format_settings takes a map of arguments of the format '{}'", info.format)
        .at(config.format_settings.place);
  for (size_t i = 0; i < config.format_settings.keys.size(); ++i)
    info.format_settings.set(config.format_settings.keys[i], config.format_settings.items[i]);
  if (!config.path.empty() && make_format(info)->looks_for().empty())
    throw request_error("data set '{}' is made up and has no files to be found in '{}'", info.name, config.path)
        .hint("leave the folder out");
  return info;
}

/// The first folder that holds the data; missing files are missed when they are opened.
std::string find_folder(const DatasetInfo& info, const DataConfig& config, const Format& format) {
  const auto wanted = format.looks_for();
  const auto folders = config.path.empty() ? info.look_in : std::vector{config.path};
  if (wanted.empty()) return {};
  for (const auto& folder : folders)
    if (format.is_in(folder)) return folder;
  std::vector<std::string> quoted;
  for (const auto& folder : folders) quoted.push_back("'" + folder + "'");
  throw request_error("data set '{}' was not found: no {} in {}", info.name, wanted,
                      quoted.empty() ? "any folder, since its description has no look_in" : join_words(quoted, "or"))
      .hint(info.get)
      .hint("or set data.path (on the command line: --data NAME:FOLDER)");
}

/// The task that the fields suggest, where the description names none.
std::string task_for(const std::vector<FieldInfo>& fields) {
  constexpr std::pair<std::string_view, std::string_view> kTasks[] = {
      {"label", "classification"}, {"labels", "multi_label"}, {"mask", "segmentation"}, {"y", "regression"}};
  for (const auto& [field, task] : kTasks)
    if (std::ranges::find(fields, field, &FieldInfo::name) != fields.end()) return std::string(task);
  return "reconstruction";
}

/// At most `limit` of the indices, chosen by seed, in their order.
void limit_indices(std::vector<int64_t>& indices, const DataConfig& config, const std::string& split, uint64_t seed) {
  const auto limit = config.limits.find(split);
  if (limit == config.limits.end() || limit->second >= std::ssize(indices)) return;
  auto order = permutation(std::ssize(indices), Random(seed, "limit " + split));
  order.resize(static_cast<size_t>(limit->second));
  std::ranges::sort(order);
  for (size_t i = 0; i < order.size(); ++i) indices[i] = indices[static_cast<size_t>(order[i])];
  indices.resize(order.size());
}

std::vector<int64_t> all_indices(int64_t size) {
  std::vector<int64_t> indices(static_cast<size_t>(size));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

/// Cuts the validation samples out of the training indices; both stay ascending.
std::vector<int64_t> cut_validation(std::vector<int64_t>& train, const DataConfig& config, uint64_t seed) {
  if (config.validation_split == 0) return {};
  const auto size = std::ssize(train);
  const auto count = static_cast<int64_t>(std::llround(config.validation_split * static_cast<double>(size)));
  if (count < 1 || count >= size)
    throw request_error("validation_split {} of {} training samples leaves {}", config.validation_split, size,
                        count < 1 ? "none for validation" : "none for training");
  auto order = permutation(size, Random(seed, "validation split"));
  std::sort(order.begin(), order.begin() + count);
  std::sort(order.begin() + count, order.end());
  train.assign(order.begin() + count, order.end());
  order.resize(static_cast<size_t>(count));
  return order;
}

}  // namespace

std::vector<FieldInfo> declared_fields(const DataConfig& config) {
  const auto info = described(config);
  auto fields = make_format(info)->fields(info);
  for (auto& field : fields)
    if (field.type == at::kByte && field.shape.size() == 3) field.type = at::kFloat;  // as normalize leaves it
  return fields;
}

Splits open_splits(const DataConfig& config, uint64_t seed) {
  Splits splits;
  splits.info = described(config);
  splits.mean = config.mean.value_or(splits.info.mean);
  splits.std = config.std.value_or(splits.info.std);
  const auto format = make_format(splits.info);
  const auto folder = find_folder(splits.info, config, *format);
  const auto train_files = format->open(splits.info, folder, "train");
  const auto test_files = format->open(splits.info, folder, "test");
  if (splits.info.task.empty()) splits.info.task = task_for(train_files->fields());

  auto train = all_indices(train_files->size());
  auto validation = cut_validation(train, config, seed);
  auto test = all_indices(test_files->size());
  limit_indices(train, config, "train", seed);
  limit_indices(validation, config, "validation", seed);
  limit_indices(test, config, "test", seed);

  const auto finish = [&](DatasetPtr images) { return normalize(std::move(images), splits.mean, splits.std); };
  const auto raw_train = subset(train_files, std::move(train));
  const auto augmentation = config.augmentation.value_or(splits.info.augmentation);
  splits.train = cutout(finish(augment(raw_train, augmentation)), augmentation.cutout);
  splits.calibration = finish(raw_train);
  if (!validation.empty()) splits.validation = finish(subset(train_files, std::move(validation)));
  splits.test = finish(subset(test_files, std::move(test)));
  return splits;
}

}  // namespace compress::data
