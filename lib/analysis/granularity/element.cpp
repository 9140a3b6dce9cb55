#include "analysis/granularity.h"

namespace compress::analysis {

namespace {

class Element final : public Granularity {
public:
  void check(std::string_view, at::IntArrayRef) const override {}
  at::Tensor gather(const at::Tensor& weight) const override { return weight.reshape({-1, 1}); }
  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override { return numbers.reshape(shape); }
};

}  // namespace

extern const Entry<Granularity> element_granularity;
const Entry<Granularity> element_granularity{"element", "single weights", make_component<Granularity, Element>};

}  // namespace compress::analysis
