#include "analysis/granularity.h"
#include "core/error.h"
#include "core/text.h"

#include <vector>

namespace compress::analysis {

namespace {

class Kernel final : public Granularity {
public:
  void check(std::string_view parameter, at::IntArrayRef shape) const override {
    if (shape.size() < 3)
      throw request_error("'{}' has no kernels: its shape is {}, and kernels are those of a convolution", parameter,
                          shape_text(shape));
  }
  at::Tensor gather(const at::Tensor& weight) const override { return weight.flatten(2).flatten(0, 1); }
  at::Tensor scatter(const at::Tensor& numbers, at::IntArrayRef shape) const override {
    std::vector<int64_t> along(shape.size(), 1);
    along[0] = shape[0];
    along[1] = shape[1];
    return numbers.view(along).expand(shape);
  }
};

}  // namespace

extern const Entry<Granularity> kernel_granularity;
const Entry<Granularity> kernel_granularity{"kernel",
                                            "one kernel of a convolution, from one input to one output: w[i, j]",
                                            make_component<Granularity, Kernel>};

}  // namespace compress::analysis
