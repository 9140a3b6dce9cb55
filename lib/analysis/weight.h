#pragma once

#include "graph/graph.h"

#include <vector>

namespace compress::analysis {

/// The parameter behind an input of a node, looking through quantisers; null when there is none.
const Parameter* parameter_behind(const Graph& graph, const std::string& input);

/// The weight of a convolutional or linear layer, looking through quantisers; null for other nodes.
const Parameter* weight_of(const Graph& graph, const Node& node);

/// Every parameter that a node multiplies its input by, looking through quantisers: the weight of a convolutional or
/// linear layer, the input and the recurrent weight of a recurrent layer.
std::vector<const Parameter*> weights_of(const Graph& graph, const Node& node);

/// True for a quantiser of a parameter: a weight on its way, no step of the computation.
bool is_parameter_quantizer(const Graph& graph, const Node& node);

/// What training made, in the graph's order: the trainable parameters, and the integers that hold weights and biases
/// in a quantised file.
std::vector<const Parameter*> learned_parameters(const Graph& graph);

/// The real numbers that a parameter stands for: integers dequantised as the graph does it, others as they are.
at::Tensor real_value(const Graph& graph, const Parameter& parameter);

/// The numbers that stand in a file once the parameter is deployed: the integers of the quantiser that reads it, else
/// its elements as they are.
at::Tensor stored_value(const Graph& graph, const Parameter& parameter);

/// Bits that an element takes once it is deployed: those of the quantiser that reads it, else its element type's.
int64_t stored_bits(const Graph& graph, const Parameter& parameter);

}  // namespace compress::analysis
