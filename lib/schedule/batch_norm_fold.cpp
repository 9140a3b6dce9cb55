#include "schedule/batch_norm_fold.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <optional>

namespace compress::schedule {

namespace {

/// A node with a batch-norm in it; its inputs from `gamma` on are gamma, beta, mean, variance.
struct BatchNorm {
  const Node* node;
  size_t gamma;
};

const Node* convolution_of(const Graph& graph, const std::string& weight) {
  for (const auto* node : graph.consumers(weight))
    if (node->op == "Conv" || node->op == "ConvBatchNormalization") return node;
  return nullptr;
}

std::optional<BatchNorm> batch_norm_of(const Graph& graph, const Node& convolution) {
  if (convolution.op == "ConvBatchNormalization") return BatchNorm{&convolution, 3};
  const auto readers = graph.consumers(convolution.output());
  if (readers.size() == 1 && readers.front()->op == "BatchNormalization") return BatchNorm{readers.front(), 1};
  return std::nullopt;
}

at::Tensor folding_factor(const Graph& graph, const BatchNorm& norm) {
  const auto& gamma = graph.parameter(norm.node->inputs[norm.gamma]).value;
  const auto& variance = graph.parameter(norm.node->inputs[norm.gamma + 3]).value;
  return gamma.div(variance.add(norm.node->attributes.number("epsilon", 1e-5)).sqrt());
}

}  // namespace

void require_batch_norms(const Graph& graph, const std::vector<std::string>& weights, Problems& problems) {
  for (const auto& weight : weights) {
    const auto* convolution = convolution_of(graph, weight);
    if (convolution && !batch_norm_of(graph, *convolution))
      problems.add(
          request_error(
              "'fold_batchnorm' needs exactly one batch-norm behind convolution '{}', and nothing else that reads it",
              convolution->name)
              .hint(fmt::format("leave '{}' to a pruner without fold_batchnorm", weight)));
  }
}

Graph with_folded_weights(const Graph& graph, const std::vector<std::string>& weights) {
  at::NoGradGuard no_grad;
  auto folded = graph.clone();
  for (const auto& weight : weights) {
    const auto* convolution = convolution_of(graph, weight);
    const auto norm = convolution ? batch_norm_of(graph, *convolution) : std::nullopt;
    if (!norm) continue;
    const auto& value = graph.parameter(weight).value;
    std::vector<int64_t> per_filter(static_cast<size_t>(value.dim()), 1);
    per_filter.front() = -1;
    folded.assign(weight, value.mul(folding_factor(graph, *norm).view(per_filter)));
  }
  return folded;
}

}  // namespace compress::schedule
