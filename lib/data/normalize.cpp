#include "core/text.h"
#include "data/dataset.h"

#include <ATen/ops/empty.h>

#include <array>

namespace compress::data {

namespace {

bool is_stored_image(const FieldInfo& field) {
  return field.type == at::kByte && field.shape.size() == 3;
}

bool is_float_image(const FieldInfo& field) {
  return field.type == at::kFloat && field.shape.size() == 3 && !is_target(field.name);
}

/// Written straight into the memory format that convolutions like best, by one table look-up a pixel.
class Normalize final : public Dataset {
public:
  Normalize(DatasetPtr base, std::vector<double> mean, std::vector<double> std)
      : base_(std::move(base)), mean_(std::move(mean)), std_(std::move(std)) {
    for (const auto& field : base_->fields()) {
      if (is_stored_image(field) || is_float_image(field)) check_counts(field);
      if (is_stored_image(field)) tables_.emplace(field.name, tables(field));
      if (is_float_image(field) && !mean_.empty()) floats_.push_back(field.name);
    }
  }

  int64_t size() const override { return base_->size(); }

  std::vector<FieldInfo> fields() const override {
    auto fields = base_->fields();
    for (auto& field : fields)
      if (is_stored_image(field)) field.type = at::kFloat;
    return fields;
  }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch = base_->batch(indices, draw);
    for (const auto& [name, channels] : tables_) {
      at::Tensor& image = batch.fields.find(name)->second;
      image = convert(image, channels);
    }
    for (const auto& name : floats_) shift(batch.fields.find(name)->second);
    return batch;
  }

private:
  using Tables = std::vector<std::array<float, 256>>;  // of each channel

  void check_counts(const FieldInfo& field) const {
    for (const auto* numbers : {&mean_, &std_})
      if (numbers->size() > 1 && std::ssize(*numbers) != field.shape[0])
        throw request_error("normalize has {} numbers, but '{}' has {} channels ({})", numbers->size(), field.name,
                            field.shape[0], shape_text(field.shape));
  }

  static double of(const std::vector<double>& numbers, size_t channel, double otherwise) {
    return numbers.empty() ? otherwise : numbers[numbers.size() == 1 ? 0 : channel];
  }

  Tables tables(const FieldInfo& field) const {
    Tables tables(static_cast<size_t>(field.shape[0]));
    for (size_t c = 0; c < tables.size(); ++c)
      for (size_t pixel = 0; pixel < 256; ++pixel)
        tables[c][pixel] = static_cast<float>((static_cast<double>(pixel) / 255 - of(mean_, c, 0)) / of(std_, c, 1));
    return tables;
  }

  static at::Tensor convert(const at::Tensor& image, const Tables& tables) {
    const int64_t channels = image.size(1), area = image.size(2) * image.size(3);
    const bool last = channels > 1;
    at::Tensor result = at::empty(image.sizes(), at::TensorOptions(at::kFloat),
                                  last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    const uint8_t* from = image.const_data_ptr<uint8_t>();
    float* to = result.mutable_data_ptr<float>();
    for (int64_t sample = 0; sample < image.size(0); ++sample, from += channels * area, to += channels * area)
      if (channels == 3)
        convert_colors(from, area, tables, to);
      else
        for (int64_t c = 0; c < channels; ++c)
          for (int64_t i = 0; i < area; ++i) to[i * channels + c] = tables[static_cast<size_t>(c)][from[c * area + i]];
    return result;
  }

  static void convert_colors(const uint8_t* from, int64_t area, const Tables& tables, float* to) {
    const float *red = tables[0].data(), *green = tables[1].data(), *blue = tables[2].data();
    for (int64_t i = 0; i < area; ++i, to += 3) {
      to[0] = red[from[i]];
      to[1] = green[from[area + i]];
      to[2] = blue[from[2 * area + i]];
    }
  }

  void shift(at::Tensor& image) const {
    const int64_t channels = image.size(1), area = image.size(2) * image.size(3);
    float* value = image.mutable_data_ptr<float>();
    for (int64_t plane = 0; plane < image.size(0) * channels; ++plane) {
      const auto c = static_cast<size_t>(plane % channels);
      const auto mean = static_cast<float>(of(mean_, c, 0)), scale = static_cast<float>(1 / of(std_, c, 1));
      for (int64_t i = 0; i < area; ++i, ++value) *value = (*value - mean) * scale;
    }
  }

  DatasetPtr base_;
  std::vector<double> mean_, std_;
  std::map<std::string, Tables> tables_;
  std::vector<std::string> floats_;
};

}  // namespace

DatasetPtr normalize(DatasetPtr base, std::vector<double> mean, std::vector<double> std) {
  return std::make_shared<Normalize>(std::move(base), std::move(mean), std::move(std));
}

}  // namespace compress::data
