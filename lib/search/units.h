#pragma once

#include "analysis/coupled_channels.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <string>
#include <vector>

namespace compress::search {

/// What a layer is: kinds of layers as numbers, for agents that learn from them.
enum class LayerKind { linear, convolution, depthwise, other };

/// The first layer that makes a unit's channels, for a batch of 1.
struct Layer {
  std::string node;
  LayerKind kind = LayerKind::other;
  int64_t outputs = 0, inputs = 0;  ///< channels (or features) of the layer
  int64_t height = 1, width = 1;    ///< of its input; 1 without spatial axes
  int64_t stride = 1, kernel = 1;   ///< along the first spatial axis
};

/// Channels that are removed together, wherever they occur: what a search decides about.
struct Unit {
  std::string name;                             ///< the first weight that makes the channels
  int group = 0;                                ///< of CoupledChannels::groups()
  std::vector<analysis::ParameterAxis> makers;  ///< the weights, with their axis of outputs, that make the channels
  int64_t channels = 0;                         ///< that can be removed one by one
  int64_t most = 0;                             ///< how many of them may go at most
  int64_t multiple = 1;                         ///< what stays is a multiple of it
  std::vector<std::vector<int>> together;       ///< channels of which one must stay: all there are of some value
  Layer layer;
  int64_t macs = 0, weights = 0;  ///< of all layers that make the channels

  /// The smallest removal of at least `wanted` channels that leaves an allowed number; `most` when there is none.
  int64_t allowed(int64_t wanted) const;
};

/// Which units there are, and how small they may become.
struct UnitOptions {
  std::vector<std::string> include, exclude;
  int64_t min_channels = 1, multiple_of = 1;

  void declare(Settings& settings);
};

/// The units of a graph that the options choose and of which something may be removed, in the graph's order.
std::vector<Unit> find_units(const Graph& graph, const analysis::CoupledChannels& channels, const UnitOptions& options);

/// Notes words that name no unit, and that there is nothing left to remove, with the reasons.
void check_units(const Graph& graph, const UnitOptions& options, Problems& problems);

}  // namespace compress::search
