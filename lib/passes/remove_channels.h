#pragma once

#include "analysis/coupled_channels.h"

#include <vector>

namespace compress::passes {

/// Cuts channels out of a network: slices parameters and masks, adapts attributes. `removed` has one flag per atom of
/// the pool, the same for all atoms of a class. The caller answers for the function. Throws a request error when an
/// axis would be left without channels.
Changes remove_channels(Graph& graph, const analysis::CoupledChannels& channels, const std::vector<bool>& removed);

}  // namespace compress::passes
