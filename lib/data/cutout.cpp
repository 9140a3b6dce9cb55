#include "core/random.h"
#include "data/dataset.h"

#include <algorithm>

namespace compress::data {

namespace {

class Cutout final : public Dataset {
public:
  Cutout(DatasetPtr base, int64_t side) : base_(std::move(base)), side_(side) {}

  int64_t size() const override { return base_->size(); }
  std::vector<FieldInfo> fields() const override { return base_->fields(); }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch = base_->batch(indices, draw);
    for (auto& [name, image] : batch.fields)
      if (image.scalar_type() == at::kFloat && image.dim() == 4)
        for (size_t i = 0; i < indices.size(); ++i) clear_square(image, static_cast<int64_t>(i), indices[i], draw);
    return batch;
  }

private:
  /// The same place in all images of the sample.
  void clear_square(at::Tensor& images, int64_t position, int64_t index, const Draw& draw) const {
    Random random(draw.seed, "cutout", {static_cast<uint64_t>(draw.epoch), static_cast<uint64_t>(index)});
    const int64_t height = images.size(2), width = images.size(3);
    const int64_t top = random.below(height) - side_ / 2, left = random.below(width) - side_ / 2;
    const int64_t first_row = std::max<int64_t>(0, top), end_row = std::min(height, top + side_);
    const int64_t first = std::max<int64_t>(0, left), end = std::min(width, left + side_);
    float* image = images.mutable_data_ptr<float>() + position * images.stride(0);
    for (int64_t c = 0; c < images.size(1); ++c)
      for (int64_t y = first_row; y < end_row; ++y)
        for (int64_t x = first; x < end; ++x)
          image[c * images.stride(1) + y * images.stride(2) + x * images.stride(3)] = 0;
  }

  DatasetPtr base_;
  int64_t side_;
};

}  // namespace

DatasetPtr cutout(DatasetPtr base, int64_t side) {
  return side == 0 ? base : std::make_shared<Cutout>(std::move(base), side);
}

}  // namespace compress::data
