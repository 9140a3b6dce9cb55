#include "analysis/axis_structures.h"

#include <vector>

namespace compress::analysis {

at::Tensor AxisStructures::gather(const at::Tensor& weight) const {
  return weight.transpose(0, axis_).flatten(1);
}

at::Tensor AxisStructures::scatter(const at::Tensor& numbers, at::IntArrayRef shape) const {
  std::vector<int64_t> along(shape.size(), 1);
  along[static_cast<size_t>(axis_)] = numbers.numel();
  return numbers.view(along).expand(shape);
}

}  // namespace compress::analysis
