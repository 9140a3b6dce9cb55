#include "data/folder_images.h"

#include "core/text.h"

#include <algorithm>
#include <cmath>

namespace compress::data {

namespace {

namespace fs = std::filesystem;

bool has_ending(const fs::path& path, std::initializer_list<std::string_view> endings) {
  return std::ranges::find(endings, to_lower(path.extension().string())) != endings.end();
}

bool is_hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

Error cannot_list(const fs::path& folder, const std::error_code& why) {
  return request_error("cannot list the folder '{}': {}", folder.string(), why.message());
}

}  // namespace

std::vector<fs::path> image_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::follow_directory_symlink, failed), end;
       !failed && it != end; it.increment(failed)) {
    const auto& path = it->path();
    if (is_hidden(path) || !it->is_regular_file()) continue;
    if (has_ending(path, {".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}))
      throw request_error("'{}': images of this format are not read", path.string()).hint("convert it to PNG or JPEG");
    if (has_ending(path, {".jpg", ".jpeg", ".png"})) files.push_back(path);
  }
  if (failed) throw cannot_list(folder, failed);
  std::ranges::sort(files);
  return files;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed))
    if (it->is_directory() && !is_hidden(it->path())) folders.push_back(it->path());
  if (failed) throw cannot_list(folder, failed);
  std::ranges::sort(folders);
  return folders;
}

std::vector<int64_t>
share_of(const std::string& split, int64_t samples, double test_share, int64_t seed, const std::string& where) {
  const auto test = static_cast<int64_t>(std::llround(test_share * static_cast<double>(samples)));
  if (test < 1 || test >= samples)
    throw request_error("'{}' holds {} samples; test_share {} of them leaves none for {}", where, samples, test_share,
                        test < 1 ? "the test split" : "training");
  auto order = permutation(samples, Random(static_cast<uint64_t>(seed), "test split"));
  const auto cut = order.begin() + test;
  std::vector<int64_t> chosen = split == "test" ? std::vector(order.begin(), cut) : std::vector(cut, order.end());
  std::ranges::sort(chosen);
  return chosen;
}

void FolderArguments::declare(Settings& s) {
  s.choice(
      "fit", fit, {{"crop", Fit::crop}, {"stretch", Fit::stretch}},
      "how an image gets the data set's shape: the shorter side is resized and the middle cut out, or both sides are "
      "resized");
  s.optional("resize", resize,
             "pixels of the shorter side before the middle is cut out; 0: 8/7 of the shape's longer side",
             in(0, 65535));
  s.optional("test_share", test_share, "share of the samples that are the test split, where no folders say it",
             {.low = 0, .high = 1, .open_low = true, .open_high = true});
  s.optional("seed", seed, "chooses the samples of that share", at_least(0));
}

ImageSize FolderArguments::size(const DatasetInfo& info) const {
  if (info.shape.size() != 3 || (info.shape[0] != 1 && info.shape[0] != 3) || info.shape[1] > 65535 ||
      info.shape[2] > 65535)
    throw request_error("data set '{}' needs a shape of [1 or 3, height, width]", info.name);
  ImageSize size{.channels = info.shape[0], .height = info.shape[1], .width = info.shape[2], .fit = fit};
  const int64_t longer = std::max(size.height, size.width);
  size.shorter_side = resize > 0 ? resize : (longer * 8 + 6) / 7;
  if (fit == Fit::stretch && resize > 0)
    throw request_error("data set '{}': resize has no effect with 'fit: stretch'", info.name)
        .hint("leave it out, or set format_settings.resize to 0");
  if (fit == Fit::crop && size.shorter_side < longer)
    throw request_error("data set '{}': resize is {}, but the shape needs a shorter side of at least {}", info.name,
                        resize, longer);
  return size;
}

Random crop_draws(const Draw& draw, int64_t index) {
  return {draw.seed, "random resized crop", {static_cast<uint64_t>(draw.epoch), static_cast<uint64_t>(index)}};
}

}  // namespace compress::data
