#pragma once

#include "graph/graph.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace compress::quant {

/// Bits of weights (W) and of values (x).
struct Precision {
  int64_t weights = 16, values = 16;
  bool operator==(const Precision&) const = default;
};

/// "training ends with weights of 4 bits and values in floating point", for messages.
std::string ends_with(const Precision& own);
/// Throws a request error when an argument speaks of an epoch behind the policy's last one.
void check_epoch(const char* argument, int64_t epoch, int64_t last);

/// A grid of integers whose bits can be changed: one for a weight, or one for values (several nodes may share it).
struct AdjustableGrid {
  std::string scale;               ///< the parameter, which no edit of the graph renames: the grid's name
  std::vector<std::string> nodes;  ///< FakeQuantize, ConvBatchNormalization
  bool of_weight = false;
  int64_t bits = 8;
};

/// All of them, in the graph's order; not the grids of biases, and no other number formats.
std::vector<AdjustableGrid> adjustable_grids(const Graph& graph);

/// Changes the bits and keeps the range: the scale becomes that of as many more or fewer integers between the same
/// ends. Learned clips stay.
void set_bits(Graph& graph, const AdjustableGrid& grid, int64_t bits);

/// Takes the ranges of weights anew from their extremes, and with them what a method has learned about the range.
/// (NEMO: reset_alpha_weights.)
void restart_weight_grid(Graph& graph, const AdjustableGrid& grid);

/// Holds the bits of a graph's grids above a floor for a while: each grid has the floor's bits or its own, whichever
/// are more.
class BitFloor {
public:
  /// Notes the bits that the grids have now as their own.
  void note(const Graph& graph);
  bool noted() const { return !own_.empty(); }
  /// Moves the floors of weights and of values; returns the names (scales) of the grids whose bits changed.
  std::vector<std::string> set(Graph& graph, int64_t weights, int64_t values);
  /// True when some grid has more bits than its own.
  bool holds(const Graph& graph) const;

  nlohmann::json save() const;
  void load(const nlohmann::json& values);

private:
  std::map<std::string, int64_t> own_;  ///< by scale
};

}  // namespace compress::quant
