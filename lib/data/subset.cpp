#include "data/dataset.h"

namespace compress::data {

namespace {

class Subset final : public Dataset {
public:
  Subset(DatasetPtr base, std::vector<int64_t> indices) : base_(std::move(base)), indices_(std::move(indices)) {}

  int64_t size() const override { return std::ssize(indices_); }
  std::vector<FieldInfo> fields() const override { return base_->fields(); }

  Batch batch(std::span<const int64_t> indices, const Draw& draw) const override {
    std::vector<int64_t> chosen;
    chosen.reserve(indices.size());
    for (const int64_t index : indices) chosen.push_back(indices_[static_cast<size_t>(index)]);
    return base_->batch(chosen, draw);
  }

  DatasetPtr cropped(const RandomResizedCrop& crop) const override {
    auto base = base_->cropped(crop);
    return base ? subset(std::move(base), indices_) : nullptr;
  }

private:
  DatasetPtr base_;
  std::vector<int64_t> indices_;
};

}  // namespace

DatasetPtr subset(DatasetPtr base, std::vector<int64_t> indices) {
  return std::make_shared<Subset>(std::move(base), std::move(indices));
}

}  // namespace compress::data
