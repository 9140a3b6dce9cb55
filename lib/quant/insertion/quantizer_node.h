#pragma once

#include "quant/rules/layer_rules.h"

#include <string>
#include <vector>

/// FakeQuantize nodes with the parameters that their method wants.
namespace compress::quant {

/// Adds a tensor that belongs to a quantiser: no optimiser touches it.
std::string add_constant(Graph& graph, const std::string& name, at::Tensor value, Changes& changes);

/// Adds "<prefix>.scale", "<prefix>.zero_point" and what else the rule's method has, and gives their names in the order
/// of a FakeQuantize's inputs. `range`: where the grid reaches at first, one number or one for each scale. `values`:
/// how many values share the grid.
std::vector<std::string> add_quantizer_parameters(Graph& graph,
                                                  const std::string& prefix,
                                                  const TensorRule& rule,
                                                  const ops::ValueRange& range,
                                                  size_t values,
                                                  Changes& changes);

/// A FakeQuantize of `value`, not yet in the graph; `parameters` are those of add_quantizer_parameters().
Node quantizer_node(std::string name,
                    const std::string& value,
                    const TensorRule& rule,
                    const std::vector<std::string>& parameters);

/// Does a layer read what this quantiser puts out as its weight, or as its bias?
bool read_as_weight(const Graph& graph, const Node& quantizer);
bool read_as_bias(const Graph& graph, const Node& quantizer);

/// Throws a run error, which names the parameter, when it holds NaN or infinity.
void require_finite(const Parameter& parameter);

/// The part of a weight's elements that shares a scale, as the rule has it.
ops::GridAxes weight_axes(const TensorRule& rule, const Node& layer, const at::Tensor& weight);

/// From where to where each scale of a weight reaches, by the rule's observer. Throws as require_finite().
ops::ValueRange weight_range(const Parameter& weight, const TensorRule& rule, ops::GridAxes axes);

}  // namespace compress::quant
