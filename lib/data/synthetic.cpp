#include "core/random.h"
#include "data/memory.h"
#include "data/synthetic_images.h"
#include "data/synthetic_kinds.h"

#include <algorithm>
#include <cmath>

// Made-up data, a function of the seed alone, for tests, benchmarks and first steps without files.
//
// Images: every class (and field) has a pattern; a sample is the pattern of its class, shifted by up to two pixels
// around the border, with noise. A small convolutional network finds the classes within seconds. Regression: y = tanh(A
// x) + B x / 2 with random A and B, and noise. The other kinds stand in synthetic_kinds.cpp.
namespace compress::data {

namespace {

enum class SyntheticKind { images, regression, multi_label, segmentation, reconstruction };

class Synthetic final : public Format {
public:
  void declare(Settings& s) override {
    s.choice("kind", kind_,
             {{"images", SyntheticKind::images},
              {"regression", SyntheticKind::regression},
              {"multi_label", SyntheticKind::multi_label},
              {"segmentation", SyntheticKind::segmentation},
              {"reconstruction", SyntheticKind::reconstruction}},
             "images with classes, vectors x with targets y, images with labels, with masks, or alone");
    s.optional("train_samples", train_samples_, "samples of the training split", at_least(1));
    s.optional("test_samples", test_samples_, "samples of the test split", at_least(1));
    s.optional("fields", fields_, "names of the images of a sample; each shows its own pattern of the class");
    s.optional("targets", targets_, "length of y (regression)", at_least(1));
    s.optional("noise", noise_, "noise, as a share of the signal's range", at_least(0));
    s.optional("seed", seed_, "the data follow from it", at_least(0));
  }

  std::vector<FieldInfo> fields(const DatasetInfo& info) const override {
    if (kind_ == SyntheticKind::images) return image_fields(info);
    if (kind_ == SyntheticKind::regression) return regression_fields(info);
    return other_fields(info);
  }
  std::string looks_for() const override { return {}; }
  bool is_in(const std::string&) const override { return true; }

  DatasetPtr open(const DatasetInfo& info, const std::string&, const std::string& split) const override {
    const int64_t samples = split == "train" ? train_samples_ : test_samples_;
    const SyntheticSamples wanted{samples, split, static_cast<uint64_t>(seed_), noise_};
    switch (kind_) {
    case SyntheticKind::images: return images(info, samples, split);
    case SyntheticKind::regression: return regression(info, samples, split);
    case SyntheticKind::multi_label: return synthetic_multi_label(other_fields(info), wanted);
    case SyntheticKind::segmentation: return synthetic_segmentation(other_fields(info), wanted);
    default: return synthetic_reconstruction(other_fields(info), wanted);
    }
  }

private:
  std::vector<FieldInfo> image_fields(const DatasetInfo& info) const {
    if (info.shape.size() != 3 || info.classes < 1)
      throw request_error("data set '{}': synthetic images need a shape of [channels, height, width] and classes",
                          info.name);
    std::vector<FieldInfo> infos;
    for (const auto& name : fields_) infos.push_back({name, info.shape, at::kByte});
    infos.push_back({"label", {}, at::kLong, info.classes});
    return infos;
  }

  std::vector<FieldInfo> regression_fields(const DatasetInfo& info) const {
    if (info.shape.size() != 1)
      throw request_error("data set '{}': synthetic regression needs a shape of [features]", info.name);
    return {{"x", info.shape, at::kFloat}, {"y", {targets_}, at::kFloat}};
  }

  std::vector<FieldInfo> other_fields(const DatasetInfo& info) const {
    const bool classes = kind_ != SyntheticKind::reconstruction;
    if (info.shape.size() != 3 || (classes && info.classes < 2))
      throw request_error("data set '{}': synthetic images need a shape of [channels, height, width]{}", info.name,
                          classes ? " and at least 2 classes" : "");
    std::vector<FieldInfo> infos{{"image", info.shape, at::kByte}};
    if (kind_ == SyntheticKind::multi_label) infos.push_back({"labels", {info.classes}, at::kFloat});
    if (kind_ == SyntheticKind::segmentation)
      infos.push_back({"mask", {info.shape[1], info.shape[2]}, at::kByte, info.classes});
    return infos;
  }

  DatasetPtr images(const DatasetInfo& info, int64_t samples, const std::string& split) const {
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
      patterns.push_back(
          synthetic_pattern(static_cast<uint64_t>(seed_), field, static_cast<uint64_t>(label), info.shape));
    std::string bytes;
    bytes.reserve(static_cast<size_t>(samples) * patterns[0].size());
    for (int64_t sample = 0; sample < samples; ++sample) {
      Random random(static_cast<uint64_t>(seed_), split, {field, static_cast<uint64_t>(sample)});
      const auto& pattern = patterns[static_cast<size_t>(sample % info.classes)];
      append_pixels(shifted(pattern, info.shape, random), noise_, random, bytes);
    }
    return bytes;
  }

  DatasetPtr regression(const DatasetInfo& info, int64_t samples, const std::string& split) const {
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
                                     "made-up images, vectors, masks and labels for every task; needs no files",
                                     make_component<Format, Synthetic>};

}  // namespace compress::data
