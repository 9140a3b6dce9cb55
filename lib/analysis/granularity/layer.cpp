#include "analysis/granularity.h"

namespace compress::analysis {

namespace {

class Layer final : public Granularity {
public:
  void check(std::string_view, at::IntArrayRef) const override {}
  at::Tensor gather(const at::Tensor& weight) const override { return weight.reshape({1, -1}); }
  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override {
    return numbers.reshape({}).expand(shape);
  }
};

}  // namespace

extern const Entry<Granularity> layer_granularity;
const Entry<Granularity> layer_granularity{"layer", "the whole weight", make_component<Granularity, Layer>};

}  // namespace compress::analysis
