#include "core/random.h"
#include "data/memory.h"

#include <algorithm>
#include <cmath>
#include <numbers>

// Made-up data, a function of the seed alone, for tests, benchmarks and first steps without files.
//
// Images: every class (and field) has a pattern, a few waves of low frequency in each channel; a sample is the pattern
// of its class, shifted by up to two pixels around the border, with noise. A small convolutional network finds the
// classes within seconds. Regression: y = tanh(A x) + B x / 2 with random A and B, and noise.
namespace compress::data {

namespace {

enum class SyntheticKind { images, regression };

constexpr int kWaves = 3;
constexpr int64_t kShift = 2;
constexpr double kPatternAmplitude = 24;  // of each wave, in steps of a pixel's 0 ... 255

/// A class's image without shift and noise, as height*width numbers for each channel.
std::vector<double> class_pattern(uint64_t seed, uint64_t field, uint64_t label, const Shape& shape) {
  Random random(seed, "synthetic pattern", {field, label});
  std::vector<double> pattern(static_cast<size_t>(shape[0] * shape[1] * shape[2]));
  for (int64_t channel = 0; channel < shape[0]; ++channel)
    for (int wave = 0; wave < kWaves; ++wave) {
      const double down = static_cast<double>(random.below(4)), right = static_cast<double>(1 + random.below(3));
      const double phase = random.uniform(0, 2 * std::numbers::pi);
      double* pixel = pattern.data() + channel * shape[1] * shape[2];
      for (int64_t y = 0; y < shape[1]; ++y)
        for (int64_t x = 0; x < shape[2]; ++x)
          *pixel++ +=
              kPatternAmplitude * std::sin(2 * std::numbers::pi *
                                               (down * static_cast<double>(y) / static_cast<double>(shape[1]) +
                                                right * static_cast<double>(x) / static_cast<double>(shape[2])) +
                                           phase);
    }
  return pattern;
}

class Synthetic final : public Format {
public:
  void declare(Settings& s) override {
    s.choice("kind", kind_, {{"images", SyntheticKind::images}, {"regression", SyntheticKind::regression}},
             "images with classes, or vectors x with targets y");
    s.optional("train_samples", train_samples_, "samples of the training split", at_least(1));
    s.optional("test_samples", test_samples_, "samples of the test split", at_least(1));
    s.optional("fields", fields_, "names of the images of a sample; each shows its own pattern of the class");
    s.optional("targets", targets_, "length of y (regression)", at_least(1));
    s.optional("noise", noise_, "noise, as a share of the signal's range", at_least(0));
    s.optional("seed", seed_, "the data follow from it", at_least(0));
  }

  std::vector<std::string> files(const std::string&) const override { return {}; }

  DatasetPtr open(const DatasetInfo& info, const std::string&, const std::string& split) const override {
    const int64_t samples = split == "train" ? train_samples_ : test_samples_;
    return kind_ == SyntheticKind::images ? images(info, samples, split) : regression(info, samples, split);
  }

private:
  DatasetPtr images(const DatasetInfo& info, int64_t samples, const std::string& split) const {
    if (info.shape.size() != 3 || info.classes < 1)
      throw request_error("data set '{}': synthetic images need a shape of [channels, height, width] and classes",
                          info.name);
    std::vector<StoredField> stored;
    for (size_t field = 0; field < fields_.size(); ++field)
      stored.push_back({.info = {fields_[field], info.shape, at::kByte}, .bytes = pixels(info, field, samples, split)});
    std::vector<int64_t> labels(static_cast<size_t>(samples));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i) % info.classes;
    stored.push_back({.info = {"label", {}, at::kLong, info.classes}, .bytes = as_bytes(labels)});
    return in_memory(samples, std::move(stored));
  }

  std::string pixels(const DatasetInfo& info, uint64_t field, int64_t samples, const std::string& split) const {
    std::vector<std::vector<double>> patterns;
    for (int64_t label = 0; label < info.classes; ++label)
      patterns.push_back(class_pattern(static_cast<uint64_t>(seed_), field, static_cast<uint64_t>(label), info.shape));
    const int64_t height = info.shape[1], width = info.shape[2];
    std::string bytes;
    bytes.reserve(static_cast<size_t>(samples) * patterns[0].size());
    for (int64_t sample = 0; sample < samples; ++sample) {
      Random random(static_cast<uint64_t>(seed_), split, {field, static_cast<uint64_t>(sample)});
      const int64_t down = random.below(2 * kShift + 1), right = random.below(2 * kShift + 1);
      const double* pattern = patterns[static_cast<size_t>(sample % info.classes)].data();
      for (int64_t c = 0; c < info.shape[0]; ++c)
        for (int64_t y = 0; y < height; ++y)
          for (int64_t x = 0; x < width; ++x) {
            const double clean = pattern[(c * height + (y + down) % height) * width + (x + right) % width];
            const double pixel = 128 + clean + 128 * noise_ * random.uniform(-1, 1);
            bytes.push_back(static_cast<char>(static_cast<uint8_t>(std::clamp(pixel, 0.0, 255.0))));
          }
    }
    return bytes;
  }

  DatasetPtr regression(const DatasetInfo& info, int64_t samples, const std::string& split) const {
    if (info.shape.size() != 1)
      throw request_error("data set '{}': synthetic regression needs a shape of [features]", info.name);
    const auto features = static_cast<size_t>(info.shape[0]), targets = static_cast<size_t>(targets_);
    Random weights(static_cast<uint64_t>(seed_), "synthetic regression");
    std::vector<double> a(features * targets), b(features * targets);
    const double scale = 1 / std::sqrt(static_cast<double>(features));
    for (auto* matrix : {&a, &b})
      for (double& weight : *matrix) weight = scale * weights.normal();
    std::vector<float> x, y;
    for (int64_t sample = 0; sample < samples; ++sample) {
      Random random(static_cast<uint64_t>(seed_), split, {static_cast<uint64_t>(sample)});
      const size_t start = x.size();
      for (size_t i = 0; i < features; ++i) x.push_back(static_cast<float>(random.normal()));
      for (size_t t = 0; t < targets; ++t) {
        double bent = 0, straight = 0;
        for (size_t i = 0; i < features; ++i) {
          bent += a[t * features + i] * x[start + i];
          straight += b[t * features + i] * x[start + i];
        }
        y.push_back(static_cast<float>(std::tanh(2 * bent) + straight / 2 + noise_ * random.uniform(-1, 1)));
      }
    }
    return in_memory(samples, {{.info = {"x", info.shape, at::kFloat}, .bytes = as_bytes(x)},
                               {.info = {"y", {targets_}, at::kFloat}, .bytes = as_bytes(y)}});
  }

  SyntheticKind kind_ = SyntheticKind::images;
  int64_t train_samples_ = 2048, test_samples_ = 512, targets_ = 1, seed_ = 1;
  std::vector<std::string> fields_ = {"image"};
  double noise_ = 0.3;
};

}  // namespace

extern const Entry<Format> synthetic{"synthetic",
                                     "made-up images with a pattern for each class, or a regression; needs no files",
                                     make_component<Format, Synthetic>};

}  // namespace compress::data
