#include "core/file.h"
#include "core/text.h"
#include "data/folder_images.h"

#include <ATen/ops/empty.h>

#include <map>

// Photographs with a mask each: ROOT/images/NAME.jpg and ROOT/masks/NAME.png, or both below ROOT/train and ROOT/val. A
// mask's pixels are class numbers; 255 is "not known".
namespace compress::data {

namespace {

namespace fs = std::filesystem;

struct MaskedFiles {
  std::vector<std::string> images, masks;
};

class SegmentationSplit final : public Dataset {
public:
  SegmentationSplit(std::shared_ptr<const MaskedFiles> files,
                    ImageSize size,
                    int64_t classes,
                    std::optional<RandomResizedCrop> crop)
      : files_(std::move(files)), size_(size), classes_(classes), crop_(crop) {}

  int64_t size() const override { return std::ssize(files_->images); }
  std::vector<FieldInfo> fields() const override {
    return {{"image", {size_.channels, size_.height, size_.width}, at::kByte},
            {"mask", {size_.height, size_.width}, at::kByte, classes_}};
  }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch{.size = std::ssize(indices)};
    at::Tensor images = at::empty({batch.size, size_.channels, size_.height, size_.width}, at::kByte);
    at::Tensor masks = at::empty({batch.size, size_.height, size_.width}, at::kByte);
    auto* pixels = images.mutable_data_ptr<uint8_t>();
    auto* mask = masks.mutable_data_ptr<uint8_t>();
    for (const int64_t index : indices) {
      read_sample(index, draw, pixels, mask);
      pixels += size_.channels * size_.height * size_.width;
      mask += size_.height * size_.width;
    }
    batch.fields.emplace("image", std::move(images));
    batch.fields.emplace("mask", std::move(masks));
    return batch;
  }

  DatasetPtr cropped(const RandomResizedCrop& crop) const override {
    return std::make_shared<SegmentationSplit>(files_, size_, classes_, crop);
  }

private:
  void read_sample(int64_t index, const Draw& draw, uint8_t* pixels, uint8_t* mask) const {
    const auto& image_path = files_->images[static_cast<size_t>(index)];
    const auto& mask_path = files_->masks[static_cast<size_t>(index)];
    const auto bytes = read_file(image_path);
    const auto image = open_image(bytes, image_path);
    const auto numbers = read_mask(read_file(mask_path), mask_path);
    if (numbers.width != image->width() || numbers.height != image->height())
      throw run_error("'{}' has {}x{} pixels, but its mask '{}' has {}x{}", image_path, image->width(), image->height(),
                      mask_path, numbers.width, numbers.height);
    const auto window = crop_ ? random_window(image->width(), image->height(), size_, *crop_, crop_draws(draw, index))
                              : middle_window(image->width(), image->height(), size_);
    render(*image, window, size_, pixels);
    render_mask(numbers.values.data(), numbers.width, window, size_, mask);
  }

  std::shared_ptr<const MaskedFiles> files_;
  ImageSize size_;
  int64_t classes_;
  std::optional<RandomResizedCrop> crop_;
};

/// Files by their path below `folder`, without the ending.
std::map<std::string, std::string> files_by_name(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& path : image_files(folder)) {
    const auto name = fs::relative(path, folder).replace_extension().string();
    const auto [place, fresh] = files.emplace(name, path.string());
    if (!fresh) throw request_error("'{}' and '{}' have the same name", place->second, path.string());
  }
  return files;
}

MaskedFiles pair_files(const fs::path& images, const fs::path& masks) {
  MaskedFiles pairs;
  const auto by_name = files_by_name(masks);
  const auto photographs = files_by_name(images);
  for (const auto& [name, path] : photographs) {
    const auto mask = by_name.find(name);
    if (mask == by_name.end())
      throw request_error("the image '{}' has no mask '{}.png'", path, (masks / name).string());
    pairs.images.push_back(path);
    pairs.masks.push_back(mask->second);
  }
  for (const auto& [name, path] : by_name)
    if (!photographs.contains(name)) throw request_error("the mask '{}' has no image in '{}'", path, images.string());
  if (pairs.images.empty()) throw request_error("'{}' holds no images (.jpg, .jpeg, .png)", images.string());
  return pairs;
}

class SegmentationFolder final : public Format {
public:
  void declare(Settings& s) override {
    arguments_.declare(s);
    s.optional("images", images_, "folder of the images");
    s.optional("masks", masks_, "folder of the masks, which have the images' names");
    s.optional("test_folder", test_folder_, "folder beside 'train' that holds the test split");
  }

  std::vector<FieldInfo> fields(const DatasetInfo& info) const override {
    const auto size = arguments_.size(info);
    return {{"image", info.shape, at::kByte}, {"mask", {size.height, size.width}, at::kByte, info.classes}};
  }
  std::string looks_for() const override { return fmt::format("folder '{}', nor 'train/{}',", images_, images_); }
  bool is_in(const std::string& folder) const override {
    return fs::is_directory(fs::path(folder) / images_) || fs::is_directory(fs::path(folder) / "train" / images_);
  }

  DatasetPtr open(const DatasetInfo& info, const std::string& folder, const std::string& split) const override {
    const bool divided = fs::is_directory(fs::path(folder) / "train" / images_);
    const auto place = fs::path(folder) / (!divided ? "" : split == "train" ? "train" : test_folder_);
    for (const auto& part : {images_, masks_})
      if (!fs::is_directory(place / part)) throw request_error("there is no folder '{}'", (place / part).string());
    auto pairs = std::make_shared<MaskedFiles>(pair_files(place / images_, place / masks_));
    if (!divided) {
      MaskedFiles chosen;
      for (const int64_t i :
           share_of(split, std::ssize(pairs->images), arguments_.test_share, arguments_.seed, folder)) {
        chosen.images.push_back(pairs->images[static_cast<size_t>(i)]);
        chosen.masks.push_back(pairs->masks[static_cast<size_t>(i)]);
      }
      *pairs = std::move(chosen);
    }
    return std::make_shared<SegmentationSplit>(std::move(pairs), arguments_.size(info), info.classes, std::nullopt);
  }

private:
  FolderArguments arguments_;
  std::string images_ = "images", masks_ = "masks", test_folder_ = "val";
};

}  // namespace

extern const Entry<Format> segmentation_folder{"segmentation_folder",
                                               "images and masks (PNG) of the same names in two folders",
                                               make_component<Format, SegmentationFolder>};

}  // namespace compress::data
