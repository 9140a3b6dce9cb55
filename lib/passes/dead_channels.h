#pragma once

#include "analysis/coupled_channels.h"

#include <map>
#include <string>
#include <vector>

namespace compress::passes {

/// Channels that can go without changing what the network computes (in eval mode).
struct DeadChannels {
  std::vector<bool> removed;  ///< one flag per atom of the pool
  int64_t classes = 0;        ///< how many channels that is
  /// By node: what the removed channels contribute to each of its outputs, to be added to its bias. Only where it is
  /// not all zero.
  std::map<std::string, at::Tensor> constants;
  /// Channels that are constant but have to stay, with the reason; one line per reader.
  std::vector<std::string> notes;
};

/// A channel is dead when each layer that sums over it either gives it no weight, or reads a constant from it whose
/// share in every output is the same at every place, so that a bias can take it over. Weights that lead only to dead
/// channels count as none; hence the search goes on until nothing changes.
DeadChannels find_dead_channels(const Graph& graph, const analysis::CoupledChannels& channels);

}  // namespace compress::passes
