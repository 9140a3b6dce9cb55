#include "core/text.h"
#include "data/memory.h"

#include <algorithm>
#include <filesystem>

// The binary version of CIFAR (https://www.cs.toronto.edu/~kriz/cifar.html): records of the label (CIFAR-100: coarse,
// then fine) and the pixels, channel by channel.
namespace compress::data {

namespace {

enum class CifarLabels { single, fine, coarse };

/// `records` as declared by the data set; 0: any whole number of them.
void check_size(const std::string& path, size_t bytes, size_t record, int64_t records) {
  const size_t expected =
      (records > 0 ? static_cast<size_t>(records) : std::max<size_t>(1, (bytes + record - 1) / record)) * record;
  if (bytes == expected) return;
  throw request_error("'{}' is {}: expected {} bytes ({} records of {} bytes), it has {}", path,
                      bytes < expected ? "cut" : "too long", with_commas(static_cast<int64_t>(expected)),
                      with_commas(static_cast<int64_t>(expected / record)), record,
                      with_commas(static_cast<int64_t>(bytes)));
}

class Cifar final : public Format {
public:
  void declare(Settings& s) override {
    s.optional("train_files", train_files_, "files of the training split, in order");
    s.optional("test_files", test_files_, "files of the test split, in order");
    s.optional("train_records", train_records_, "images in each training file; 0: any number", at_least(0));
    s.optional("test_records", test_records_, "images in each test file; 0: any number", at_least(0));
    s.choice("labels", labels_,
             {{"single", CifarLabels::single}, {"fine", CifarLabels::fine}, {"coarse", CifarLabels::coarse}},
             "a record's label: its single byte, or the fine or coarse one of CIFAR-100's two");
  }

  std::vector<FieldInfo> fields(const DatasetInfo& info) const override {
    if (train_files_.empty() || test_files_.empty())
      throw request_error("data set '{}' names no train_files or no test_files", info.name);
    return labelled_image(info);
  }
  std::string looks_for() const override { return fmt::format("'{}' (or .gz)", train_files_.front()); }
  bool is_in(const std::string& folder) const override { return holds_data_file(folder, train_files_.front()); }

  DatasetPtr open(const DatasetInfo& info, const std::string& folder, const std::string& split) const override {
    std::string pixels;
    std::vector<int64_t> labels;
    for (const auto& name : split == "train" ? train_files_ : test_files_)
      append(info, folder, split, name, pixels, labels);
    return in_memory(std::ssize(labels), {{.info = {"image", info.shape, at::kByte}, .bytes = std::move(pixels)},
                                          {.info = {"label", {}, at::kLong, info.classes}, .bytes = as_bytes(labels)}});
  }

private:
  void append(const DatasetInfo& info,
              const std::string& folder,
              const std::string& split,
              const std::string& name,
              std::string& pixels,
              std::vector<int64_t>& labels) const {
    const std::string path = (std::filesystem::path(folder) / name).string();
    const std::string bytes = read_data_file(folder, name);
    const size_t head = labels_ == CifarLabels::single ? 1 : 2;
    size_t image = 1;
    for (const int64_t size : info.shape) image *= static_cast<size_t>(size);
    const size_t record = head + image;
    check_size(path, bytes.size(), record, split == "train" ? train_records_ : test_records_);
    std::vector<int64_t> found;
    for (size_t at = 0; at < bytes.size(); at += record) {
      found.push_back(static_cast<uint8_t>(bytes[at + (labels_ == CifarLabels::fine ? 1 : 0)]));
      pixels.append(bytes, at + head, image);
    }
    check_labels(found, info.classes, path);
    labels.insert(labels.end(), found.begin(), found.end());
  }

  std::vector<std::string> train_files_ = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                           "data_batch_4.bin", "data_batch_5.bin"};
  std::vector<std::string> test_files_ = {"test_batch.bin"};
  int64_t train_records_ = 10000, test_records_ = 10000;
  CifarLabels labels_ = CifarLabels::single;
};

}  // namespace

extern const Entry<Format> cifar{"cifar", "the binary version of CIFAR-10 and CIFAR-100",
                                 make_component<Format, Cifar>};

}  // namespace compress::data
