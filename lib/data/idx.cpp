#include "core/text.h"
#include "data/memory.h"

#include <filesystem>

// The IDX format of MNIST (http://yann.lecun.com/exdb/mnist): two zero bytes, element type (8 = uint8), number of axes,
// each axis as 32-bit big-endian, the values. Compressed files are read as they are.
namespace compress::data {

namespace {

constexpr size_t kIdxStart = 4;

uint32_t big_endian(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

struct IdxFile {
  std::string bytes;
  Shape sizes;
  size_t offset = 0;
};

IdxFile read_idx(const std::string& folder, const std::string& name, size_t axes) {
  const std::string path = (std::filesystem::path(folder) / name).string();
  IdxFile file{.bytes = read_data_file(folder, name), .offset = kIdxStart + 4 * axes};
  if (file.bytes.size() < file.offset)
    throw request_error("'{}' is cut: its header has {} bytes, the file {}", path, file.offset, file.bytes.size());
  const uint32_t magic = big_endian(file.bytes, 0), expected = 0x0800 + static_cast<uint32_t>(axes);
  if (magic != expected)
    throw request_error("'{}' is no IDX file of bytes with {} axes: it starts with 0x{:08x}, expected 0x{:08x}", path,
                        axes, magic, expected);
  uint64_t values = 1;
  for (size_t axis = 0; axis < axes; ++axis) {
    const uint32_t size = big_endian(file.bytes, kIdxStart + 4 * axis);
    file.sizes.push_back(size);
    if (__builtin_mul_overflow(values, size, &values)) throw request_error("'{}' claims an impossible size", path);
  }
  if (file.bytes.size() - file.offset != values)
    throw request_error("'{}' is {}: expected {} bytes ({}), it has {}", path,
                        file.bytes.size() - file.offset < values ? "cut" : "too long",
                        with_commas(static_cast<int64_t>(values + file.offset)), shape_text(file.sizes),
                        with_commas(std::ssize(file.bytes)));
  return file;
}

class Idx final : public Format {
public:
  void declare(Settings& s) override {
    s.optional("train_images", train_images_, "file of the training images");
    s.optional("train_labels", train_labels_, "file of the training labels");
    s.optional("test_images", test_images_, "file of the test images");
    s.optional("test_labels", test_labels_, "file of the test labels");
  }

  std::vector<FieldInfo> fields(const DatasetInfo& info) const override { return labelled_image(info); }
  std::string looks_for() const override { return fmt::format("'{}' (or .gz)", train_images_); }
  bool is_in(const std::string& folder) const override { return holds_data_file(folder, train_images_); }

  DatasetPtr open(const DatasetInfo& info, const std::string& folder, const std::string& split) const override {
    const auto names =
        split == "train" ? std::vector{train_images_, train_labels_} : std::vector{test_images_, test_labels_};
    auto images = read_idx(folder, names[0], 3);
    const auto label_file = read_idx(folder, names[1], 1);
    if (Shape{1, images.sizes[1], images.sizes[2]} != info.shape)
      throw request_error("'{}/{}' holds images of 1x{}x{}, but data set '{}' has {}", folder, names[0],
                          images.sizes[1], images.sizes[2], info.name, shape_text(info.shape));
    if (images.sizes[0] == 0) throw request_error("'{}/{}' holds no images", folder, names[0]);
    if (images.sizes[0] != label_file.sizes[0])
      throw request_error("'{}' holds {} images in '{}' but {} labels in '{}'", folder, images.sizes[0], names[0],
                          label_file.sizes[0], names[1]);
    std::vector<int64_t> labels;
    labels.reserve(label_file.bytes.size());
    for (size_t i = label_file.offset; i < label_file.bytes.size(); ++i)
      labels.push_back(static_cast<uint8_t>(label_file.bytes[i]));
    check_labels(labels, info.classes, (std::filesystem::path(folder) / names[1]).string());
    return in_memory(
        images.sizes[0],
        {{.info = {"image", info.shape, at::kByte}, .bytes = std::move(images.bytes), .offset = images.offset},
         {.info = {"label", {}, at::kLong, info.classes}, .bytes = as_bytes(labels)}});
  }

private:
  std::string train_images_ = "train-images-idx3-ubyte", train_labels_ = "train-labels-idx1-ubyte";
  std::string test_images_ = "t10k-images-idx3-ubyte", test_labels_ = "t10k-labels-idx1-ubyte";
};

}  // namespace

extern const Entry<Format> idx{"idx", "MNIST's format: one file of images, one of labels, perhaps gzipped",
                               make_component<Format, Idx>};

}  // namespace compress::data
