#include "core/text.h"
#include "data/color_jitter.h"
#include "data/forms.h"
#include "data/image_window.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>

namespace compress::data {

namespace {

/// Where one sample is cut out and whether it is mirrored: a function of (seed, epoch, index), the same for all images
/// and masks of the sample.
struct Cut {
  int64_t down = 0, right = 0;
  bool mirror = false;
};

Random draws(const Draw& draw, std::string_view purpose, int64_t index) {
  return {draw.seed, purpose, {static_cast<uint64_t>(draw.epoch), static_cast<uint64_t>(index)}};
}

Cut draw_cut(const Augmentation& augmentation, const Draw& draw, int64_t index) {
  Random random = draws(draw, "augment", index);
  Cut cut;
  if (const int64_t padding = augmentation.random_crop_padding; padding > 0) {
    cut.down = random.below(2 * padding + 1) - padding;
    cut.right = random.below(2 * padding + 1) - padding;
  }
  cut.mirror = augmentation.horizontal_flip && random.chance(0.5);
  return cut;
}

bool is_pixels(const at::Tensor& field) {
  return field.scalar_type() == at::kByte && field.dim() == 4;
}

bool is_stored_mask(std::string_view name, const at::Tensor& field) {
  return name == "mask" && field.dim() == 3;
}

/// Copies one plane, shifted; what comes from outside keeps the value that is there.
template <class T>
void copy_plane(const T* from, T* to, int64_t height, int64_t width, const Cut& cut) {
  const int64_t first_row = std::max<int64_t>(0, -cut.down), end_row = std::min(height, height - cut.down);
  const int64_t first = std::max<int64_t>(0, -cut.right), end = std::min(width, width - cut.right);
  if (end <= first) return;
  for (int64_t y = first_row; y < end_row; ++y) {
    const T* source = from + (y + cut.down) * width + first + cut.right;
    T* row = to + y * width;
    if (cut.mirror)
      std::reverse_copy(source, source + (end - first), row + width - end);
    else
      std::copy(source, source + (end - first), row + first);
  }
}

template <class T>
void mirror_rows(T* plane, int64_t height, int64_t width) {
  for (int64_t y = 0; y < height; ++y) std::reverse(plane + y * width, plane + (y + 1) * width);
}

class Augmented final : public Dataset {
public:
  Augmented(DatasetPtr base, Augmentation augmentation) : base_(std::move(base)), augmentation_(augmentation) {}

  int64_t size() const override { return base_->size(); }
  std::vector<FieldInfo> fields() const override { return base_->fields(); }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    Batch batch = base_->batch(indices, draw);
    for (auto& [name, field] : batch.fields) {
      if (is_pixels(field)) {
        if (augmentation_.random_resized_crop) field = resized(field, indices, draw);
        move<uint8_t>(field, 0, indices, draw);
        if (augmentation_.color_jitter) recolor(field, indices, draw);
      } else if (is_stored_mask(name, field)) {
        if (field.scalar_type() == at::kByte)
          change_mask<uint8_t>(field, indices, draw);
        else
          change_mask<int64_t>(field, indices, draw);
      }
    }
    return batch;
  }

private:
  Window window_of(const ImageSize& size, int64_t index, const Draw& draw) const {
    return random_window(size.width, size.height, size, *augmentation_.random_resized_crop,
                         draws(draw, "random resized crop", index));
  }

  at::Tensor resized(const at::Tensor& images, std::span<const int64_t> indices, const Draw& draw) const {
    const ImageSize size{.channels = images.size(1), .height = images.size(2), .width = images.size(3)};
    at::Tensor result = at::empty(images.sizes(), images.options());
    const uint8_t* from = images.const_data_ptr<uint8_t>();
    uint8_t* to = result.mutable_data_ptr<uint8_t>();
    for (const int64_t index : indices) {
      render(from, size.width, size.height, window_of(size, index, draw), size, to);
      from += images.stride(0);
      to += images.stride(0);
    }
    return result;
  }

  template <class T>
  void change_mask(at::Tensor& masks, std::span<const int64_t> indices, const Draw& draw) const {
    if (augmentation_.random_resized_crop) {
      const ImageSize size{.channels = 1, .height = masks.size(1), .width = masks.size(2)};
      at::Tensor result = at::empty(masks.sizes(), masks.options());
      const T* from = masks.const_data_ptr<T>();
      T* to = result.mutable_data_ptr<T>();
      for (const int64_t index : indices) {
        render_mask(from, size.width, window_of(size, index, draw), size, to);
        from += masks.stride(0);
        to += masks.stride(0);
      }
      masks = std::move(result);
    }
    move<T>(masks, static_cast<T>(kUnknownClass), indices, draw);
  }

  /// Shifts and mirrors every plane of every sample; what comes from outside is `outside`.
  template <class T>
  void move(at::Tensor& planes, T outside, std::span<const int64_t> indices, const Draw& draw) const {
    if (augmentation_.random_crop_padding == 0 && !augmentation_.horizontal_flip) return;
    const int64_t height = planes.size(-2), width = planes.size(-1), area = height * width;
    T* plane = planes.mutable_data_ptr<T>();
    std::vector<T> copy(static_cast<size_t>(augmentation_.random_crop_padding > 0 ? area : 0));
    for (const int64_t index : indices) {
      const Cut cut = draw_cut(augmentation_, draw, index);
      for (int64_t left = planes.stride(0); left > 0; left -= area, plane += area) {
        if (cut.down == 0 && cut.right == 0) {
          if (cut.mirror) mirror_rows(plane, height, width);
          continue;
        }
        std::copy(plane, plane + area, copy.data());
        std::fill(plane, plane + area, outside);
        copy_plane(copy.data(), plane, height, width, cut);
      }
    }
  }

  void recolor(at::Tensor& images, std::span<const int64_t> indices, const Draw& draw) const {
    uint8_t* image = images.mutable_data_ptr<uint8_t>();
    for (const int64_t index : indices) {
      jitter_colors(image, images.stride(1), *augmentation_.color_jitter, draws(draw, "color jitter", index));
      image += images.stride(0);
    }
  }

  DatasetPtr base_;
  Augmentation augmentation_;
};

/// Throws when the images or masks are of a kind that cannot be changed so.
void check_augmentation(const Augmentation& augmentation, const std::vector<FieldInfo>& fields) {
  bool images = false;
  for (const auto& field : fields) {
    const bool image = field.type == at::kByte && field.shape.size() == 3;
    images = images || image;
    if (image && augmentation.color_jitter && field.shape[0] != 3)
      throw request_error("augment: color_jitter needs images of 3 channels, but '{}' is {}", field.name,
                          shape_text(field.shape));
    if (field.name == "mask" && augmentation.random_crop_padding > 0 && field.classes > kUnknownClass)
      throw request_error("augment: random_crop_padding fills masks with {}, which is a class of '{}' (it has {})",
                          kUnknownClass, field.name, field.classes);
  }
  if (!images)
    throw request_error("augment changes 8-bit images, but the data set has none")
        .hint("write 'augment: none', or only 'cutout' for images of floating-point numbers");
}

}  // namespace

void RandomResizedCrop::declare(Settings& settings) {
  settings.custom(interval_field("scale", "share of the image's area that is cut out: [smallest, largest]",
                                 smallest_scale, largest_scale, {.low = 0, .high = 1, .open_low = true}));
  settings.custom(interval_field("ratio", "width / height of what is cut out: [smallest, largest]", smallest_ratio,
                                 largest_ratio, {.low = 0.01, .high = 100}));
}

void ColorJitter::declare(Settings& settings) {
  settings.optional("brightness", brightness, "brightness is multiplied by 1 - x to 1 + x", in(0, 10));
  settings.optional("contrast", contrast, "contrast is multiplied by 1 - x to 1 + x", in(0, 10));
  settings.optional("saturation", saturation, "saturation is multiplied by 1 - x to 1 + x", in(0, 10));
  settings.optional("hue", hue, "hue is turned by -x to x of the colour circle", in(0, 0.5));
}

void Augmentation::declare(Settings& settings) {
  settings.custom(optional_part("random_resized_crop", "a random part of the image, resized", random_resized_crop));
  settings.optional("random_crop_padding", random_crop_padding,
                    "zeros put around an image before a window of its size is cut at a random place", in(0, 1024));
  settings.optional("horizontal_flip", horizontal_flip, "mirror half of the images left-right");
  settings.custom(optional_part("color_jitter", "random brightness, contrast, saturation and hue", color_jitter));
  settings.optional("cutout", cutout, "side of a square of the mean colour at a random place; 0: none", in(0, 1024));
}

DatasetPtr augment(DatasetPtr base, Augmentation augmentation) {
  const bool crops = augmentation.random_resized_crop.has_value();
  if (!crops && augmentation.random_crop_padding == 0 && !augmentation.horizontal_flip && !augmentation.color_jitter)
    return base;
  check_augmentation(augmentation, base->fields());
  if (crops)
    if (auto cropped = base->cropped(*augmentation.random_resized_crop)) {
      base = std::move(cropped);
      augmentation.random_resized_crop.reset();
    }
  return std::make_shared<Augmented>(std::move(base), augmentation);
}

}  // namespace compress::data
