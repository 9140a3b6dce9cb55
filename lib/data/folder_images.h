#pragma once

#include "data/image_window.h"

#include <filesystem>
#include <string>
#include <vector>

// Data sets of one file a sample: what the formats image_folder and segmentation_folder share.
namespace compress::data {

/// The image files in a folder and those below it, sorted; other files are left out. Names count whatever the case of
/// their ending. Throws a request error naming a file of an image format that is not read (GIF, BMP, TIFF, WebP, ...),
/// or when the folder cannot be listed.
std::vector<std::filesystem::path> image_files(const std::filesystem::path& folder);

/// The folders in a folder, sorted by name; hidden ones are left out.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);

/// The samples of `split` ("train" or "test") where one heap holds both: a share of them is the test split, chosen by
/// seed; both ascend. Throws a request error naming `where` when a split would be empty.
std::vector<int64_t>
share_of(const std::string& split, int64_t samples, double test_share, int64_t seed, const std::string& where);

/// How images of files get their size: arguments that folder formats have in common.
struct FolderArguments {
  Fit fit = Fit::crop;
  int64_t resize = 0;
  double test_share = 0.2;
  int64_t seed = 1;
  void declare(Settings& settings);
  /// Throws a request error when the data set's shape and `resize` do not go together.
  ImageSize size(const DatasetInfo& info) const;
};

/// Draws of one sample.
Random crop_draws(const Draw& draw, int64_t index);

}  // namespace compress::data
