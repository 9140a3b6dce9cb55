#pragma once

#include "graph/graph.h"
#include "ops/quantization_grid.h"

#include <string>
#include <vector>

/// From where to where the quantisers of a prepared graph reach: what searches over clipping read and write.
namespace compress::quant {

/// A grid of integers that stays as it is (method "fixed"), whoever shares it.
struct QuantizerClip {
  enum class Role { activation, weight, bias };

  std::vector<std::string> nodes;  ///< its FakeQuantize nodes in the graph's order
  std::string input;               ///< what the first of them rounds: a value or a parameter
  std::string scale, zero_point;   ///< parameters
  Role role = Role::activation;
  ops::GridSpec spec;
  ops::GridAxes axes;

  const std::string& name() const { return nodes.front(); }
};

/// All grids of 2 to 16 bits in the graph's order, shared ones once.
std::vector<QuantizerClip> quantizer_clips(const Graph& graph);

/// The range whose grid (ops::make_grid) the quantiser has, shaped as its scale. Writing it back changes nothing but
/// the scale's last bit.
ops::ValueRange clip_range(const Graph& graph, const QuantizerClip& clip);

/// Puts the grid of a range into the quantiser's parameters.
void set_clip_range(Graph& graph, const QuantizerClip& clip, const ops::ValueRange& range);

}  // namespace compress::quant
