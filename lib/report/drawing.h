#pragma once

#include "analysis/cost.h"
#include "graph/graph.h"
#include "ops/op.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What is drawn of a network: its nodes with their cost, and the values between them.
namespace compress::report {

/// How a kind of operator is drawn.
struct OperatorClass {
  std::string_view name;
  std::string_view colour;
};

struct DrawnNode {
  const Node* node = nullptr;
  const analysis::NodeCost* cost = nullptr;
  OperatorClass kind;
  double share = 0;  ///< of the network's multiply-accumulates, 0 ... 1
};

struct DrawnEdge {
  std::string from;        ///< a node or an input of the network
  std::string to;          ///< a node, or an output of the network
  bool to_output = false;  ///< an output may be called as a node is
  std::string value;
  Shape shape;  ///< for a batch of 1
};

/// Parameters, and the quantisers of parameters, are no nodes: they belong to the layers that read them.
class Drawing {
public:
  /// The graph must outlive it.
  explicit Drawing(const Graph& graph);
  Drawing(const Drawing&) = delete;
  Drawing& operator=(const Drawing&) = delete;

  const Graph& graph() const { return graph_; }
  const analysis::Cost& cost() const { return cost_; }
  const std::vector<DrawnNode>& nodes() const { return nodes_; }
  /// Those to outputs of the network come last.
  const std::vector<DrawnEdge>& edges() const { return edges_; }
  const Shape& shape(std::string_view value) const { return infos_.at(value).shape; }
  /// The weight of a node; null when it has none.
  const Parameter* weight(const Node& node) const;

private:
  const Graph& graph_;
  analysis::Cost cost_;
  ops::Infos infos_;
  std::vector<DrawnNode> nodes_;
  std::vector<DrawnEdge> edges_;
};

/// All kinds, for a legend.
std::span<const OperatorClass> operator_classes();
const OperatorClass& class_of(const ops::Op& op);

}  // namespace compress::report
