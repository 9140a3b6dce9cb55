#pragma once

#include "graph/graph.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Branches of a network that answer the easy samples before its end: ordinary nodes and further outputs of the one
/// graph. What makes them exits (thresholds, shares of the loss) travels in the graph's metadata.
namespace compress::early_exit {

/// One branch of a graph.
struct Exit {
  std::string name;
  std::string output;  ///< of the graph: its logits
  std::string value;   ///< where it was attached; later passes may have renamed that
  std::optional<int64_t> kernel, hidden;
  double loss_weight = 0;
  double threshold = 0;
};

/// The exits of a graph in the order in which they are asked, and the output that answers what they do not.
struct Exits {
  std::string final_output;
  std::vector<Exit> branches;
  bool empty() const { return branches.empty(); }
};

/// What the graph's metadata says; empty for a graph without exits. Metadata that do not fit the outputs (another
/// program changed the file) are left aside with a warning.
Exits exits_of(const Graph& graph);

/// Writes them into the metadata.
void note_exits(Graph& graph, const Exits& exits);

/// Other thresholds for some exits of a graph. Throws a request error with the nearest name.
void set_thresholds(Graph& graph, const std::map<std::string, double>& thresholds);

/// The name of the graph output of an exit, and the stem of its nodes and parameters: "exits.NAME".
std::string exit_stem(const std::string& name);

}  // namespace compress::early_exit
