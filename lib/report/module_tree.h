#pragma once

#include "graph/graph.h"

#include <string>
#include <string_view>
#include <vector>

/// The modules that a network was written in, as the dotted names of its nodes tell.
namespace compress::report {

/// A module, a node, or both (`relu` with `relu.quantizer` below it).
struct Module {
  std::string name;            ///< the last part: "conv1"
  std::string path;            ///< from the root: "layer1.0.conv1"; "" at the root
  const Node* node = nullptr;  ///< the node of this name
  std::vector<Module> children;

  /// The nodes in it, in the graph's order.
  std::vector<const Node*> nodes() const;
};

/// The parts of a node's name. Scopes of PyTorch's exporter ("/layer1/layer1.0/conv1/Conv") are read as the modules
/// they mean: layer1, 0, conv1, Conv.
std::vector<std::string> module_path(std::string_view name);

/// Children in the graph's order. Quantisers of weights and biases belong to the layers that read them and are left
/// out.
Module module_tree(const Graph& graph);

}  // namespace compress::report
