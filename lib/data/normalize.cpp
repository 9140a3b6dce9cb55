#include "core/text.h"
#include "data/dataset.h"

#include <ATen/ops/empty.h>

#include <array>

namespace compress::data {

namespace {

bool is_image(const FieldInfo& field) {
  return field.type == at::kByte && field.shape.size() == 3;
}

/// Written straight into the memory format that convolutions like best, by one table look-up a pixel.
class Normalize final : public Dataset {
public:
  Normalize(DatasetPtr base, const std::vector<double>& mean, const std::vector<double>& std) : base_(std::move(base)) {
    for (const auto& field : base_->fields())
      if (is_image(field)) tables_.emplace(field.name, tables(field, mean, std));
  }

  int64_t size() const override { return base_->size(); }

  std::vector<FieldInfo> fields() const override {
    auto fields = base_->fields();
    for (auto& field : fields)
      if (is_image(field)) field.type = at::kFloat;
    return fields;
  }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch = base_->batch(indices, draw);
    for (const auto& [name, channels] : tables_) {
      at::Tensor& image = batch.fields.find(name)->second;
      image = convert(image, channels);
    }
    return batch;
  }

private:
  using Tables = std::vector<std::array<float, 256>>;  // of each channel

  static Tables tables(const FieldInfo& field, const std::vector<double>& mean, const std::vector<double>& std) {
    const auto channels = static_cast<size_t>(field.shape[0]);
    for (const auto* numbers : {&mean, &std})
      if (numbers->size() > 1 && numbers->size() != channels)
        throw request_error("normalize has {} numbers, but '{}' has {} channels ({})", numbers->size(), field.name,
                            channels, shape_text(field.shape));
    const auto of = [](const std::vector<double>& numbers, size_t channel, double otherwise) {
      return numbers.empty() ? otherwise : numbers[numbers.size() == 1 ? 0 : channel];
    };
    Tables tables(channels);
    for (size_t c = 0; c < channels; ++c)
      for (size_t pixel = 0; pixel < 256; ++pixel)
        tables[c][pixel] = static_cast<float>((static_cast<double>(pixel) / 255 - of(mean, c, 0)) / of(std, c, 1));
    return tables;
  }

  static at::Tensor convert(const at::Tensor& image, const Tables& tables) {
    const int64_t channels = image.size(1), area = image.size(2) * image.size(3);
    const bool last = channels > 1;
    at::Tensor result = at::empty(image.sizes(), at::TensorOptions(at::kFloat),
                                  last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    const uint8_t* from = image.const_data_ptr<uint8_t>();
    float* to = result.mutable_data_ptr<float>();
    for (int64_t sample = 0; sample < image.size(0); ++sample, to += channels * area)
      for (int64_t c = 0; c < channels; ++c, from += area) {
        const auto& table = tables[static_cast<size_t>(c)];
        for (int64_t i = 0; i < area; ++i) to[i * channels + c] = table[from[i]];
      }
    return result;
  }

  DatasetPtr base_;
  std::map<std::string, Tables> tables_;
};

}  // namespace

DatasetPtr normalize(DatasetPtr base, std::vector<double> mean, std::vector<double> std) {
  return std::make_shared<Normalize>(std::move(base), mean, std);
}

}  // namespace compress::data
