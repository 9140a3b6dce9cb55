#include "core/random.h"
#include "data/dataset.h"

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstring>

namespace compress::data {

namespace {

/// Where one sample is cut out and whether it is mirrored: a function of (seed, epoch, index), the same for all images
/// of the sample.
struct Cut {
  int64_t down = 0, right = 0;
  bool mirror = false;
};

Cut draw_cut(const Augmentation& augmentation, const Draw& draw, int64_t index) {
  Random random(draw.seed, "augment", {static_cast<uint64_t>(draw.epoch), static_cast<uint64_t>(index)});
  Cut cut;
  if (const int64_t padding = augmentation.random_crop_padding; padding > 0) {
    cut.down = random.below(2 * padding + 1) - padding;
    cut.right = random.below(2 * padding + 1) - padding;
  }
  cut.mirror = augmentation.horizontal_flip && random.chance(0.5);
  return cut;
}

/// Copies one plane, shifted; what comes from outside stays zero.
void copy_plane(const uint8_t* from, uint8_t* to, int64_t height, int64_t width, const Cut& cut) {
  const int64_t first_row = std::max<int64_t>(0, -cut.down), end_row = std::min(height, height - cut.down);
  const int64_t first = std::max<int64_t>(0, -cut.right), end = std::min(width, width - cut.right);
  if (end <= first) return;
  for (int64_t y = first_row; y < end_row; ++y) {
    const uint8_t* source = from + (y + cut.down) * width + first + cut.right;
    uint8_t* row = to + y * width;
    if (cut.mirror)
      std::reverse_copy(source, source + (end - first), row + width - end);
    else
      std::memcpy(row + first, source, static_cast<size_t>(end - first));
  }
}

class Augmented final : public Dataset {
public:
  Augmented(DatasetPtr base, Augmentation augmentation) : base_(std::move(base)), augmentation_(augmentation) {}

  int64_t size() const override { return base_->size(); }
  std::vector<FieldInfo> fields() const override { return base_->fields(); }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch = base_->batch(indices, draw);
    for (auto& [name, image] : batch.fields)
      if (image.scalar_type() == at::kByte && image.dim() == 4) image = moved(image, indices, draw);
    return batch;
  }

private:
  at::Tensor moved(const at::Tensor& image, std::span<const int64_t> indices, const Draw& draw) const {
    at::Tensor result = at::zeros(image.sizes(), image.options());
    const int64_t height = image.size(2), width = image.size(3), planes = image.size(1);
    const uint8_t* from = image.const_data_ptr<uint8_t>();
    uint8_t* to = result.mutable_data_ptr<uint8_t>();
    for (const int64_t index : indices) {
      const Cut cut = draw_cut(augmentation_, draw, index);
      for (int64_t plane = 0; plane < planes; ++plane, from += height * width, to += height * width)
        copy_plane(from, to, height, width, cut);
    }
    return result;
  }

  DatasetPtr base_;
  Augmentation augmentation_;
};

}  // namespace

void Augmentation::declare(Settings& settings) {
  settings.optional("random_crop_padding", random_crop_padding,
                    "zeros put around an image before a window of its size is cut at a random place", in(0, 1024));
  settings.optional("horizontal_flip", horizontal_flip, "mirror half of the images left-right");
}

DatasetPtr augment(DatasetPtr base, Augmentation augmentation) {
  if (augmentation.random_crop_padding == 0 && !augmentation.horizontal_flip) return base;
  return std::make_shared<Augmented>(std::move(base), augmentation);
}

}  // namespace compress::data
