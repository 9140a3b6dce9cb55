#include "core/file.h"
#include "core/text.h"
#include "data/folder_images.h"
#include "data/memory.h"

#include <ATen/ops/empty.h>

#include <algorithm>

// Folders of JPEG and PNG files, a folder for each class: ROOT/train/CLASS/*.jpg and ROOT/val/CLASS/*.jpg as ImageNet
// has them, or ROOT/CLASS/*.jpg, from which the test split is cut by seed. The classes are numbered in the order of
// their names.
namespace compress::data {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTestFolders[] = {"test", "val", "valid", "validation"};

struct LabelledFiles {
  std::vector<std::string> paths;
  std::vector<int64_t> labels;
  int64_t classes = 0;
};

class ImageFolderSplit final : public Dataset {
public:
  ImageFolderSplit(std::shared_ptr<const LabelledFiles> files, ImageSize size, std::optional<RandomResizedCrop> crop)
      : files_(std::move(files)), size_(size), crop_(crop) {}

  int64_t size() const override { return std::ssize(files_->paths); }
  std::vector<FieldInfo> fields() const override {
    return {{"image", {size_.channels, size_.height, size_.width}, at::kByte},
            {"label", {}, at::kLong, files_->classes}};
  }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch{.size = std::ssize(indices)};
    at::Tensor images = at::empty({batch.size, size_.channels, size_.height, size_.width}, at::kByte);
    at::Tensor labels = at::empty({batch.size}, at::kLong);
    auto* pixels = images.mutable_data_ptr<uint8_t>();
    auto* label = labels.mutable_data_ptr<int64_t>();
    for (const int64_t index : indices) {
      read_sample(index, draw, pixels);
      pixels += size_.channels * size_.height * size_.width;
      *label++ = files_->labels[static_cast<size_t>(index)];
    }
    batch.fields.emplace("image", std::move(images));
    batch.fields.emplace("label", std::move(labels));
    return batch;
  }

  DatasetPtr cropped(const RandomResizedCrop& crop) const override {
    return std::make_shared<ImageFolderSplit>(files_, size_, crop);
  }

private:
  void read_sample(int64_t index, const Draw& draw, uint8_t* pixels) const {
    const auto& path = files_->paths[static_cast<size_t>(index)];
    const auto bytes = read_file(path);
    const auto image = open_image(bytes, path);
    const auto window = crop_ ? random_window(image->width(), image->height(), size_, *crop_, crop_draws(draw, index))
                              : middle_window(image->width(), image->height(), size_);
    render(*image, window, size_, pixels);
  }

  std::shared_ptr<const LabelledFiles> files_;
  ImageSize size_;
  std::optional<RandomResizedCrop> crop_;
};

class ImageFolder final : public Format {
public:
  void declare(Settings& s) override {
    arguments_.declare(s);
    s.optional("test_folder", test_folder_, "folder of the test split; absent: test, val, valid or validation");
  }

  std::vector<FieldInfo> fields(const DatasetInfo& info) const override {
    arguments_.size(info);
    return labelled_image(info);
  }
  std::string looks_for() const override { return "folder 'train', nor folders of images for each class,"; }
  bool is_in(const std::string& folder) const override {
    return fs::is_directory(folder) && !folders_in(folder).empty();
  }

  DatasetPtr open(const DatasetInfo& info, const std::string& folder, const std::string& split) const override {
    const bool divided = fs::is_directory(fs::path(folder) / "train");
    const auto classes = class_names(info, divided ? fs::path(folder) / "train" : fs::path(folder));
    const auto place = !divided || split == "train" ? fs::path(folder) / (divided ? "train" : "") : test_place(folder);
    auto files = std::make_shared<LabelledFiles>(list(place, classes));
    if (!divided) {
      LabelledFiles chosen{.classes = files->classes};
      for (const int64_t i :
           share_of(split, std::ssize(files->paths), arguments_.test_share, arguments_.seed, folder)) {
        chosen.paths.push_back(std::move(files->paths[static_cast<size_t>(i)]));
        chosen.labels.push_back(files->labels[static_cast<size_t>(i)]);
      }
      *files = std::move(chosen);
    }
    return std::make_shared<ImageFolderSplit>(std::move(files), arguments_.size(info), std::nullopt);
  }

private:
  static std::vector<std::string> class_names(const DatasetInfo& info, const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& path : folders_in(folder)) names.push_back(path.filename().string());
    if (names.empty()) throw request_error("'{}' holds no folders, one for each class", folder.string());
    if (info.classes > 0 && std::ssize(names) != info.classes)
      throw request_error("'{}' holds {} class folders, but data set '{}' has {} classes", folder.string(),
                          names.size(), info.name, info.classes);
    return names;
  }

  fs::path test_place(const std::string& folder) const {
    if (!test_folder_.empty()) {
      if (fs::is_directory(fs::path(folder) / test_folder_)) return fs::path(folder) / test_folder_;
      throw request_error("'{}' has no folder '{}' (format_settings.test_folder)", folder, test_folder_);
    }
    for (const char* name : kTestFolders) {
      const auto place = fs::path(folder) / name;
      if (fs::is_directory(place) && !folders_in(place).empty()) return place;
    }
    throw request_error("'{}' has a folder 'train', but no folder test, val, valid or validation with class folders",
                        folder)
        .hint("name it in format_settings.test_folder");
  }

  static LabelledFiles list(const fs::path& folder, const std::vector<std::string>& classes) {
    LabelledFiles files{.classes = std::ssize(classes)};
    for (const auto& path : folders_in(folder)) {
      const auto name = path.filename().string();
      const auto found = std::ranges::find(classes, name);
      if (found == classes.end())
        throw request_error("'{}' is no class of the training folder", path.string()).hint(did_you_mean(name, classes));
      const auto images = image_files(path);
      if (images.empty())
        throw request_error("the class folder '{}' holds no images (.jpg, .jpeg, .png)", path.string())
            .hint("remove the folder, or put its images there");
      for (const auto& image : images) files.paths.push_back(image.string());
      files.labels.resize(files.paths.size(), found - classes.begin());
    }
    return files;
  }

  FolderArguments arguments_;
  std::string test_folder_;
};

}  // namespace

extern const Entry<Format> image_folder{"image_folder",
                                        "JPEG and PNG files, a folder for each class (ImageNet's layout)",
                                        make_component<Format, ImageFolder>};

}  // namespace compress::data
