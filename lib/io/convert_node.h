#pragma once

#include "io/draft.h"
#include "ops/op.h"

#include <array>
#include <span>

namespace compress::io {

/// What import knows of a value: shape and type in two imagined runs with different batches, and the value itself where
/// it does not depend on the network's inputs (constants, shape arithmetic).
struct Known {
  std::array<ops::ValueInfo, 2> info;
  std::array<at::Tensor, 2> value;  ///< undefined: depends on the inputs
  std::string name = {};            ///< of the initialiser it is or is a transposed form of

  bool is_known() const { return value[0].defined(); }
  /// Known, and the same whatever the batch.
  bool is_constant() const;
};

/// Brings attributes of the node's opset and those without effect to the operator table's form. Throws a request error
/// when an attribute means something that the operator cannot do.
void modernize(DraftNode& node, const ops::Op& op);

/// Turns inputs that the graph keeps as attributes (Reshape's shape, Clip's limits, ...) into those. Throws a request
/// error when one is not constant. `frozen_batch`: see fold().
void constants_to_attributes(DraftNode& node, const ops::Op& op, std::span<const Known> inputs, int64_t frozen_batch);

/// The node as the operator table sees it, with value names as inputs. Throws a request error when it does not fit the
/// operator (check_node).
Node to_graph_node(const DraftNode& node);

}  // namespace compress::io
