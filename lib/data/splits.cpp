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

bool holds(const std::string& folder, const std::string& file) {
  const auto path = std::filesystem::path(folder) / file;
  return std::filesystem::exists(path) || std::filesystem::exists(path.string() + ".gz");
}

/// The first folder that holds the first file; the others are missed when they are opened.
std::string find_folder(const DatasetInfo& info, const DataConfig& config, const Format& format) {
  const auto files = format.files("train");
  const auto folders = config.path.empty() ? info.look_in : std::vector{config.path};
  if (files.empty()) return {};
  for (const auto& folder : folders)
    if (holds(folder, files.front())) return folder;
  std::vector<std::string> quoted;
  for (const auto& folder : folders) quoted.push_back("'" + folder + "'");
  throw request_error("data set '{}' was not found: no '{}' (or .gz) in {}", info.name, files.front(),
                      quoted.empty() ? "any folder, since its description has no look_in" : join_words(quoted, "or"))
      .hint(info.get)
      .hint("or set data.path (on the command line: --data NAME:FOLDER)");
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

Splits open_splits(const DataConfig& config, uint64_t seed) {
  Splits splits;
  splits.info = dataset_info(config.name);
  splits.mean = config.mean.value_or(splits.info.mean);
  splits.std = config.std.value_or(splits.info.std);
  const auto format = make_format(splits.info);
  const auto folder = find_folder(splits.info, config, *format);
  const auto train_files = format->open(splits.info, folder, "train");
  const auto test_files = format->open(splits.info, folder, "test");

  auto train = all_indices(train_files->size());
  auto validation = cut_validation(train, config, seed);
  auto test = all_indices(test_files->size());
  limit_indices(train, config, "train", seed);
  limit_indices(validation, config, "validation", seed);
  limit_indices(test, config, "test", seed);

  const auto finish = [&](DatasetPtr images) { return normalize(std::move(images), splits.mean, splits.std); };
  const auto raw_train = subset(train_files, std::move(train));
  splits.train = finish(augment(raw_train, config.augmentation.value_or(splits.info.augmentation)));
  splits.calibration = finish(raw_train);
  if (!validation.empty()) splits.validation = finish(subset(train_files, std::move(validation)));
  splits.test = finish(subset(test_files, std::move(test)));
  return splits;
}

}  // namespace compress::data
