#pragma once

#include "exec/plan.h"
#include "graph/graph.h"
#include "ops/op.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace compress::exec {

/// Nodes that run as one step. A convolution, linear layer or batch normalisation may take the batch normalisation,
/// addition and activation behind it along, when nobody else reads (or observes) the values between; in training a
/// ConvBatchNormalization or an addition may take the quantiser of its result, too.
struct Group {
  const Node* first = nullptr;
  const Node* batch_norm = nullptr;  ///< behind a convolution or linear layer
  const Node* add = nullptr;
  const Node* activation = nullptr;
  const Node* quantizer = nullptr;
  std::string other;  ///< what `add` adds

  const Node& last() const;
  std::vector<const Node*> nodes() const;
};

/// What the grouping needs to know about values.
struct FuseContext {
  const Graph& graph;
  const PlanOptions& options;
  const ops::Infos* infos;                            ///< null: shapes are unknown
  std::function<bool(std::string_view)> is_constant;  ///< follows from parameters alone
  std::function<bool(const Node&)> packs;             ///< a convolution or linear layer that takes others along
};

/// Every node that is no constant in exactly one group, in the order in which the groups can run.
std::vector<Group> group_nodes(const FuseContext& context);

}  // namespace compress::exec
