#include "core/text.h"
#include "data/folder_images.h"
#include "data/memory.h"
#include "data/numpy_arrays.h"

#include <algorithm>
#include <filesystem>

// NumPy's arrays: one file of all samples for each field (.npy), or several arrays in one file (.npz).
namespace compress::data {

namespace {

/// Labels and masks count classes; without a number of classes in the description, as many as there are.
void settle_classes(ArrayField& field, const DatasetInfo& info) {
  const bool mask = field.info.name == "mask";
  if (field.info.name != "label" && !mask) return;
  const at::Tensor numbers = field.values.to(at::kLong).flatten();
  const std::span values(numbers.const_data_ptr<int64_t>(), static_cast<size_t>(numbers.numel()));
  int64_t most = 0;
  for (const int64_t value : values)
    if (!mask || value != kUnknownClass) most = std::max(most, value + 1);
  field.info.classes = info.classes > 0 ? info.classes : most;
  if (!mask) check_labels(values, field.info.classes, field.source);
}

void check_samples(const std::vector<ArrayField>& fields) {
  for (const auto& field : fields) {
    if (field.values.size(0) == 0) throw request_error("'{}' holds no samples", field.source);
    if (field.values.size(0) != fields[0].values.size(0))
      throw request_error("'{}' has {} samples, but '{}' has {}", fields[0].source, fields[0].values.size(0),
                          field.source, field.values.size(0));
  }
}

void check_image_shape(const ArrayField& field, const DatasetInfo& info) {
  if (!info.shape.empty() && field.info.name == "image" && field.info.shape != info.shape)
    throw request_error("'{}' holds images of {}, but data set '{}' has {}", field.source, shape_text(field.info.shape),
                        info.name, shape_text(info.shape));
}

StoredField stored(const ArrayField& field) {
  return {.info = field.info,
          .bytes = std::string(static_cast<const char*>(field.values.const_data_ptr()),
                               static_cast<size_t>(field.values.numel()) * field.values.element_size())};
}

class Numpy final : public Format {
public:
  void declare(Settings& s) override {
    s.optional(
        "fields", rules_.fields,
        "fields of a sample and the arrays they come from, as {image: ARRAY, label: ARRAY}; absent: all arrays, by "
        "their names");
    s.optional("types", rules_.types, "numbers of a field, where another type is wanted: uint8, int64 or float32");
    s.choice("layout", rules_.layout,
             {{"auto", ArrayRules::Layout::automatic},
              {"channels_first", ArrayRules::Layout::channels_first},
              {"channels_last", ArrayRules::Layout::channels_last}},
             "axes of images; auto: channels last when only the last axis is 1, 3 or 4 long");
    s.optional("test_share", test_share_, "share of the samples that are the test split, where no names say it",
               {.low = 0, .high = 1, .open_low = true, .open_high = true});
    s.optional("seed", seed_, "chooses the samples of that share", at_least(0));
  }

  std::vector<FieldInfo> fields(const DatasetInfo&) const override { return {}; }
  std::string looks_for() const override { return ".npy or .npz file"; }
  bool is_in(const std::string& place) const override {
    return std::filesystem::is_directory(place) || std::filesystem::is_regular_file(place);
  }

  DatasetPtr open(const DatasetInfo& info, const std::string& place, const std::string& split) const override {
    auto sources = find_arrays(place);
    const auto of_split = [&](const std::string& name) {
      return std::ranges::find(sources, name, &ArraySource::split) != sources.end();
    };
    const bool divided = of_split("train") && of_split("test");
    if (!divided && (of_split("test") || (of_split("train") && of_split(""))))
      throw request_error("'{}' holds arrays of the {} split, but none of the {} split", place,
                          of_split("test") ? "test" : "training", of_split("test") ? "training" : "test")
          .hint("name both (x_train, x_test, ...), or neither: then a test split is cut by seed");
    if (divided) std::erase_if(sources, [&](const ArraySource& source) { return source.split != split; });
    auto fields = fields_of(sources, rules_);
    check_samples(fields);
    std::vector<StoredField> result;
    for (auto& field : fields) {
      check_image_shape(field, info);
      settle_classes(field, info);
      result.push_back(stored(field));
    }
    const int64_t samples = fields[0].values.size(0);
    auto all = in_memory(samples, std::move(result));
    return divided ? all : subset(std::move(all), share_of(split, samples, test_share_, seed_, place));
  }

private:
  ArrayRules rules_;
  double test_share_ = 0.2;
  int64_t seed_ = 1;
};

}  // namespace

extern const Entry<Format> numpy{"numpy", "NumPy's arrays: .npy files, or one .npz", make_component<Format, Numpy>};

}  // namespace compress::data
