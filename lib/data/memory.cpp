#include "data/memory.h"

#include "core/file.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <filesystem>

namespace compress::data {

namespace {

class InMemory final : public Dataset {
public:
  InMemory(int64_t samples, std::vector<StoredField> fields) : samples_(samples), fields_(std::move(fields)) {}

  int64_t size() const override { return samples_; }

  std::vector<FieldInfo> fields() const override {
    std::vector<FieldInfo> infos;
    for (const auto& field : fields_) infos.push_back(field.info);
    return infos;
  }

  Batch batch(std::span<const int64_t> indices, const Draw&) const override {
    Batch batch{.size = std::ssize(indices)};
    for (const auto& field : fields_) {
      std::vector<int64_t> sizes = field.info.shape;
      sizes.insert(sizes.begin(), batch.size);
      at::Tensor tensor = at::empty(sizes, field.info.type);
      const size_t step = field.sample_bytes();
      auto* to = static_cast<char*>(tensor.mutable_data_ptr());
      for (const int64_t index : indices) {
        std::memcpy(to, field.bytes.data() + field.offset + static_cast<size_t>(index) * step, step);
        to += step;
      }
      batch.fields.emplace(field.info.name, std::move(tensor));
    }
    return batch;
  }

private:
  int64_t samples_;
  std::vector<StoredField> fields_;
};

}  // namespace

size_t StoredField::sample_bytes() const {
  size_t count = c10::elementSize(info.type);
  for (const int64_t size : info.shape) count *= static_cast<size_t>(size);
  return count;
}

DatasetPtr in_memory(int64_t samples, std::vector<StoredField> fields) {
  return std::make_shared<InMemory>(samples, std::move(fields));
}

bool holds_data_file(const std::string& folder, const std::string& name) {
  const auto path = std::filesystem::path(folder) / name;
  return std::filesystem::exists(path) || std::filesystem::exists(path.string() + ".gz");
}

std::vector<FieldInfo> labelled_image(const DatasetInfo& info) {
  if (info.shape.size() != 3)
    throw request_error("data set '{}' needs a shape of [channels, height, width]", info.name);
  return {{"image", info.shape, at::kByte}, {"label", {}, at::kLong, info.classes}};
}

std::string read_data_file(const std::string& folder, const std::string& name) {
  const std::filesystem::path path = std::filesystem::path(folder) / name;
  if (std::filesystem::exists(path)) return gunzip(read_file(path), path.string());
  const std::string compressed = path.string() + ".gz";
  if (std::filesystem::exists(compressed)) return gunzip(read_file(compressed), compressed);
  throw request_error("'{}' has no file '{}', nor '{}.gz'", folder, name, name);
}

void check_labels(std::span<const int64_t> labels, int64_t classes, const std::string& file) {
  for (size_t record = 0; record < labels.size(); ++record)
    if (labels[record] < 0 || labels[record] >= classes)
      throw request_error("'{}': record {} has label {}, but the data set has {} classes (0 to {})", file, record,
                          labels[record], classes, classes - 1);
}

}  // namespace compress::data
