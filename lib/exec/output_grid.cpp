#include "exec/output_grid.h"

#include "ops/grid_method.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <vector>

namespace compress::exec {

bool OutputGrid::fits(const Node& quantizer) {
  if (quantizer.op != "FakeQuantize" || !ops::grid_method(quantizer).by_extremes) return false;
  const auto spec = ops::grid_spec(quantizer);
  return spec.is_integer() && spec.bits <= 16 && ops::grid_axes(quantizer) == ops::GridAxes();
}

ops::Rounding OutputGrid::follow(float low, float high, std::span<const at::Tensor* const> inputs) const {
  const at::NoGradGuard no_grad;
  auto extremes = at::empty({2}, at::TensorOptions(at::kFloat));
  extremes.mutable_data_ptr<float>()[0] = low;
  extremes.mutable_data_ptr<float>()[1] = high;
  std::vector<const at::Tensor*> all{&extremes};
  all.insert(all.end(), inputs.begin(), inputs.end());
  const auto spec = ops::grid_spec(node_);
  ops::grid_method(node_).forward(
      {.node = node_, .spec = spec, .axes = ops::grid_axes(node_), .mode = ops::Mode::train, .inputs = all});
  const auto zero_point = inputs[1]->item<float>();
  return {.scale = inputs[0]->item<float>(),
          .low = static_cast<float>(spec.low()) - zero_point,
          .high = static_cast<float>(spec.high()) - zero_point};
}

}  // namespace compress::exec
