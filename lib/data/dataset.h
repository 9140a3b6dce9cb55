#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress::data {

/// Named tensors, the first axis of each is the sample: {"image": float[B,C,H,W], "label": int64[B]}.
struct Batch {
  std::map<std::string, at::Tensor, std::less<>> fields;
  int64_t size = 0;

  /// Throws a run error that lists the fields there are.
  const at::Tensor& at(std::string_view field) const;
};

/// True for the fields that a network is to find ("label", "labels", "mask", "y") rather than to be given.
bool is_target(std::string_view field);

/// From what the random draws of one pass over the data follow (with the sample's index).
struct Draw {
  uint64_t seed = 0;
  int64_t epoch = 0;
};

/// One tensor of a sample.
struct FieldInfo {
  std::string name;
  Shape shape;  ///< without the batch
  at::ScalarType type = at::kFloat;
  int64_t classes = 0;  ///< of a label: it is below this; 0: not known
};

/// A mask's value where the class is not known; also what a mask is padded with.
constexpr int64_t kUnknownClass = 255;

/// A random part of an image, resized to the data set's size: `scale` is its share of the area, `ratio` width / height,
/// each drawn from a range (the ratio evenly in its logarithm), as torchvision's RandomResizedCrop does.
struct RandomResizedCrop {
  double smallest_scale = 0.08, largest_scale = 1;
  double smallest_ratio = 3.0 / 4, largest_ratio = 4.0 / 3;
  void declare(Settings& settings);
};

class Dataset;
using DatasetPtr = std::shared_ptr<const Dataset>;

/// A pure map from indices to batches. Decorators (subset, augment, normalize) wrap one another; none keeps state.
class Dataset {
public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual std::vector<FieldInfo> fields() const = 0;
  /// Safe to call from several threads. The tensors are the caller's, who may write them.
  virtual Batch batch(std::span<const int64_t> indices, const Draw& draw) const = 0;
  /// The same samples, cut at random while their files are read. Null: the images are stored at their final size.
  virtual DatasetPtr cropped(const RandomResizedCrop&) const { return nullptr; }
};

// ---- decorators
// ----------------------------------------------------------------------------------------------------------------

/// Chosen samples of another data set.
DatasetPtr subset(DatasetPtr base, std::vector<int64_t> indices);
/// uint8 images -> float: (pixel/255 - mean) / std per channel, channels-last when there are several. Without mean and
/// std: pixel/255. Images that are float already become (value - mean) / std. One number serves every channel. Throws a
/// request error when their count is another than the images'.
DatasetPtr normalize(DatasetPtr base, std::vector<double> mean, std::vector<double> std);

/// Changes of brightness, contrast, saturation (factors drawn from [1 - x, 1 + x], not below 0) and hue (a turn of the
/// colour circle drawn from [-x, x]), in an order drawn as well: torchvision's ColorJitter.
struct ColorJitter {
  double brightness = 0, contrast = 0, saturation = 0, hue = 0;
  void declare(Settings& settings);
};

/// Random changes of training images, in this order: a random resized crop; zeros put around and a window cut back at a
/// random place; left-right mirrored; colours; a square of the mean colour. Masks move along.
struct Augmentation {
  std::optional<RandomResizedCrop> random_resized_crop = {};
  int64_t random_crop_padding = 0;
  bool horizontal_flip = false;
  std::optional<ColorJitter> color_jitter = {};
  int64_t cutout = 0;  ///< side of the square
  void declare(Settings& settings);
};
/// Everything but `cutout`, on uint8 images. Throws a request error when the images cannot be changed so.
DatasetPtr augment(DatasetPtr base, Augmentation augmentation);
/// A square of `side` pixels around a random point becomes zero in normalised images (DeVries and Taylor 2017,
/// https://arxiv.org/abs/1708.04552); parts beyond the border are cut off.
DatasetPtr cutout(DatasetPtr base, int64_t side);

// ---- formats
// -------------------------------------------------------------------------------------------------------------------

/// How a data set's files are read; one file and one line in formats.def each (idx, cifar, image_folder, ...).
struct DatasetInfo;
class Format {
public:
  virtual ~Format() = default;
  virtual void declare(Settings& settings) = 0;
  /// The fields of a sample as far as the description alone tells; empty when only the files can say.
  virtual std::vector<FieldInfo> fields(const DatasetInfo& info) const = 0;
  /// What `is_in` looks for, for the message that nothing was found; empty: the data need no files.
  virtual std::string looks_for() const = 0;
  /// Whether the data are at `place`: a folder, or a file for formats of one file.
  virtual bool is_in(const std::string& place) const = 0;
  /// `split` is "train" or "test". Throws a request error naming the file that is missing, cut or wrong.
  virtual DatasetPtr open(const DatasetInfo& info, const std::string& folder, const std::string& split) const = 0;
};
const Registry<Format>& formats();

/// A data set by name: datasets/NAME.yaml (built into the program), or a YAML file of the user's.
struct DatasetInfo {
  std::string name;
  std::string doc;
  std::string task = "classification";  ///< the default task; empty: as the fields suggest
  std::string format;
  Yaml format_settings = Yaml::map();
  Shape shape;          ///< of "image", without batch; empty: as the files say
  int64_t classes = 0;  ///< 0: as the files say, or none
  std::vector<std::string> class_names;
  std::vector<double> mean, std;     ///< default normalisation
  Augmentation augmentation;         ///< default augmentation of the training split
  std::vector<std::string> look_in;  ///< folders where the files usually are
  std::string get;                   ///< how to get the files, for the message when they are missing
  void declare(Settings& settings);
};
/// `name` is one of dataset_names() or the path of a YAML file (with ".yaml"), whose relative folders start at the
/// file's. Throws a request error with the nearest name.
DatasetInfo dataset_info(std::string_view name);
std::vector<std::string> dataset_names();

/// The `data:` section.
struct DataConfig {
  std::string name;
  std::string path;                    ///< folder with the files; empty: the data set's usual places
  Shape shape;                         ///< of an image; empty: the data set's
  Yaml format_settings = Yaml::map();  ///< arguments of the format, over the data set's
  int64_t batch_size = 128;
  std::optional<std::vector<double>> mean,
      std;  ///< normalize: {mean, std}; absent: the model's metadata, else the data set's
  std::optional<Augmentation> augmentation;  ///< absent: the data set's; `augment: none` switches off
  double validation_split = 0.1;             ///< share of the training split held out, by seed
  std::map<std::string, int64_t> limits;     ///< {train, validation, test}: at most so many samples, chosen by seed
  int64_t prefetch = 2;                      ///< batches made ahead, each by a thread of its own; 0: none

  void declare(Settings& settings);
  /// "cifar10" or "cifar10:DIR" of the command line. Throws a request error when the name is empty.
  void set_source(std::string_view spec);
};

/// The three splits, ready to be batched. Training images are augmented; validation is cut from the training files and
/// never augmented. With validation_split 0 there is no validation (null): no metric chooses a best epoch then, the
/// last one counts.
struct Splits {
  DatasetPtr train, validation, test;
  DatasetPtr calibration;  ///< the training samples without augmentation
  DatasetInfo info;
  std::vector<double> mean, std;  ///< in force
};
/// The fields of a batch as far as descriptions tell without any file; empty when only the files can say. Throws a
/// request error when the settings do not fit the data set.
std::vector<FieldInfo> declared_fields(const DataConfig& config);
/// Throws a request error when files are missing or wrong, or the settings do not fit the data set.
Splits open_splits(const DataConfig& config, uint64_t seed);

}  // namespace compress::data
