#include "prune/measure.h"

#include "analysis/cost.h"
#include "analysis/weight.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_like.h>

namespace compress::prune {

Graph without_numbers(const Graph& graph) {
  const at::NoGradGuard no_grad;
  Graph shapes = graph.clone();
  for (Parameter& parameter : shapes.parameters()) {
    parameter.mask = at::Tensor();
    shapes.assign(parameter.name, at::empty_like(parameter.value, parameter.value.options().device(at::kMeta)));
  }
  return shapes;
}

Measured measure_dense(const Graph& graph) {
  const analysis::Cost cost = analysis::cost(graph);
  return {.macs = static_cast<double>(cost.macs),
          .parameters = static_cast<double>(cost.parameters),
          .bytes = static_cast<double>(cost.stored_bytes)};
}

Measured measure_masked(const Graph& graph, const std::map<std::string, at::Tensor>& masks) {
  const at::NoGradGuard no_grad;
  Graph masked = graph.clone();
  double elements = 0, zeros = 0;
  for (const auto& [name, mask] : masks) {
    const at::Tensor value = graph.parameter(name).value.detach();
    masked.assign(name, value.mul(mask.to(value.device(), value.scalar_type())));
    elements += static_cast<double>(mask.numel());
    zeros += static_cast<double>(mask.numel() - mask.count_nonzero().item<int64_t>());
  }
  const analysis::Cost cost = analysis::cost(masked);
  double bits = 0;
  for (const Parameter* parameter : analysis::learned_parameters(masked))
    bits += static_cast<double>(analysis::real_value(masked, *parameter).count_nonzero().item<int64_t>() *
                                analysis::stored_bits(masked, *parameter));
  return {.sparsity = elements == 0 ? 0 : zeros / elements,
          .macs = cost.effective_macs,
          .parameters = static_cast<double>(cost.nonzero_parameters),
          .bytes = bits / 8};
}

}  // namespace compress::prune
