#pragma once

#include "analysis/coupled_channels.h"
#include "passes/known_values.h"

#include <ATen/core/Tensor.h>

#include <vector>

namespace compress::passes {

/// Channels that a node sums over, other than those of a layer with one weight matrix: what a recurrent layer reads of
/// its input and of its own units, what a product of two values is summed over.
struct Contraction {
  const Node* node = nullptr;
  std::vector<ops::Atom> inputs;   ///< the class of each channel summed over
  std::vector<ops::Atom> outputs;  ///< of each place that a sum goes to; empty: places that carry no channel
  at::Tensor reads;                ///< bool [inputs, outputs or 1]: is the channel given any weight there?
  std::vector<bool> zero;          ///< channels whose every summand is zero
};

std::vector<Contraction>
contractions_of(const Node& node, const analysis::CoupledChannels& channels, const KnownValues& known);

}  // namespace compress::passes
