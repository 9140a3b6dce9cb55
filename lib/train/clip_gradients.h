#pragma once

#include "core/settings.h"
#include "graph/graph.h"

#include <optional>
#include <vector>

namespace compress::train {

/// The gradients of a graph's parameters, without those that have none.
std::vector<at::Tensor> gradients(const Graph& graph);

/// Scales all gradients by max_norm / norm when the L2 norm of all their numbers together is larger, as PyTorch's
/// clip_grad_norm_. Waits for no device.
void clip_by_norm(const std::vector<at::Tensor>& gradients, double max_norm);

/// Limits every number to [-limit, limit], as PyTorch's clip_grad_value_.
void clip_by_value(const std::vector<at::Tensor>& gradients, double limit);

}  // namespace compress::train
