#include "data/synthetic_kinds.h"

#include "data/memory.h"
#include "data/synthetic_images.h"

namespace compress::data {

namespace {

constexpr double kLabelShare = 0.4;
constexpr uint64_t kMixed = 4;      // patterns in an image to be reconstructed
constexpr int64_t kMostShapes = 3;  // on a segmented image
constexpr double kMostTint = 70;    // of a class's colour

Random sample_draws(const SyntheticSamples& samples, int64_t sample) {
  return {samples.seed, samples.split, {static_cast<uint64_t>(sample)}};
}

void add(const std::vector<double>& pattern, double share, std::vector<double>& image) {
  for (size_t i = 0; i < image.size(); ++i) image[i] += share * pattern[i];
}

std::vector<std::vector<double>> patterns_of(const SyntheticSamples& samples, uint64_t count, const Shape& shape) {
  std::vector<std::vector<double>> patterns;
  for (uint64_t i = 0; i < count; ++i) patterns.push_back(synthetic_pattern(samples.seed, 0, i, shape));
  return patterns;
}

/// A rectangle or disc of one class, painted over what is there.
class Shapes {
public:
  Shapes(const Shape& shape, int64_t classes, uint64_t seed) : shape_(shape), classes_(classes) {
    for (int64_t i = 0; i < classes * shape[0]; ++i) {
      Random random(seed, "synthetic tint", {static_cast<uint64_t>(i)});
      tints_.push_back(random.uniform(-kMostTint, kMostTint));
    }
  }

  void paint(Random& random, std::vector<double>& image, std::vector<uint8_t>& mask) const {
    const int64_t height = shape_[1], width = shape_[2];
    const auto kind = 1 + random.below(classes_ - 1);
    const bool disc = random.chance(0.5);
    const int64_t half_height = 1 + random.below(std::max<int64_t>(1, height / 3));
    const int64_t half_width = 1 + random.below(std::max<int64_t>(1, width / 3));
    const int64_t middle_y = random.below(height), middle_x = random.below(width);
    for (int64_t y = std::max<int64_t>(0, middle_y - half_height); y < std::min(height, middle_y + half_height); ++y)
      for (int64_t x = std::max<int64_t>(0, middle_x - half_width); x < std::min(width, middle_x + half_width); ++x) {
        const auto down = static_cast<double>(y - middle_y) / static_cast<double>(half_height);
        const auto right = static_cast<double>(x - middle_x) / static_cast<double>(half_width);
        if (disc && down * down + right * right > 1) continue;
        mask[static_cast<size_t>(y * width + x)] = static_cast<uint8_t>(kind);
        for (int64_t c = 0; c < shape_[0]; ++c)
          image[static_cast<size_t>((c * height + y) * width + x)] = tints_[static_cast<size_t>(kind * shape_[0] + c)];
      }
  }

private:
  Shape shape_;
  int64_t classes_;
  std::vector<double> tints_;
};

}  // namespace

DatasetPtr synthetic_multi_label(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples) {
  const Shape& shape = fields[0].shape;
  const auto patterns = patterns_of(samples, static_cast<uint64_t>(fields[1].shape[0]), shape);
  std::string pixels;
  std::vector<float> labels;
  for (int64_t sample = 0; sample < samples.count; ++sample) {
    Random random = sample_draws(samples, sample);
    std::vector<double> image(patterns[0].size());
    for (const auto& pattern : patterns) {
      const bool shown = random.chance(kLabelShare);
      labels.push_back(shown ? 1 : 0);
      if (shown) add(shifted(pattern, shape, random), 1, image);
    }
    append_pixels(image, samples.noise, random, pixels);
  }
  return in_memory(samples.count,
                   {{.info = fields[0], .bytes = std::move(pixels)}, {.info = fields[1], .bytes = as_bytes(labels)}});
}

DatasetPtr synthetic_segmentation(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples) {
  const Shape& shape = fields[0].shape;
  const Shapes shapes(shape, fields[1].classes, samples.seed);
  std::string pixels, masks;
  for (int64_t sample = 0; sample < samples.count; ++sample) {
    Random random = sample_draws(samples, sample);
    std::vector<double> image(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
    std::vector<uint8_t> mask(static_cast<size_t>(shape[1] * shape[2]));
    for (int64_t left = 1 + random.below(kMostShapes); left > 0; --left) shapes.paint(random, image, mask);
    append_pixels(image, samples.noise, random, pixels);
    masks += as_bytes(mask);
  }
  return in_memory(samples.count,
                   {{.info = fields[0], .bytes = std::move(pixels)}, {.info = fields[1], .bytes = std::move(masks)}});
}

DatasetPtr synthetic_reconstruction(const std::vector<FieldInfo>& fields, const SyntheticSamples& samples) {
  const auto patterns = patterns_of(samples, kMixed, fields[0].shape);
  std::string pixels;
  for (int64_t sample = 0; sample < samples.count; ++sample) {
    Random random = sample_draws(samples, sample);
    std::vector<double> image(patterns[0].size());
    for (const auto& pattern : patterns) add(pattern, random.uniform(-1, 1), image);
    append_pixels(image, samples.noise, random, pixels);
  }
  return in_memory(samples.count, {{.info = fields[0], .bytes = std::move(pixels)}});
}

}  // namespace compress::data
