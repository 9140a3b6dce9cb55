#pragma once

#include "ops/op.h"
#include "quant/rules/layer_rules.h"

#include <string>
#include <vector>

namespace compress::quant {

class Runtime;

/// Values (or constants) that must share one scale and zero point, because operators between them only move numbers
/// (Concat, MaxPool, ...). Each is computed by something, and together they span the range; what is merely moved from
/// them needs no quantiser of its own before export.
struct SharedGrid {
  std::vector<std::string> values;
  TensorRule rule;
  /// By which the range of each value is chosen, on the same grid by the same method; empty: by `rule`, all of them.
  std::vector<TensorRule> own = {};

  const TensorRule& rule_of(size_t value) const { return own.empty() ? rule : own[value]; }
};

enum class OutputGrids {
  none,        ///< what leaves the graph stays as it is
  all,         ///< the graph's outputs have grids too
  every_layer  ///< and so has what every operator puts out, whoever reads it (Distiller's rule)
};

/// Where the rule of a graph's input comes from when no override names it.
enum class InputGrids {
  none,    ///< it stays in floating point
  own,     ///< bits_inputs, or the defaults
  readers  ///< the layers that read it (Distiller's rule)
};

/// What is quantised how. Names follow one rule: node "<value>.quantizer" (weights: "<parameter>.quantizer"), its
/// tensors "<node>.scale", "<node>.zero_point", "<node>.range_min", ...
struct InsertionOptions {
  const LayerRules& rules;
  InputGrids inputs = InputGrids::own;
  OutputGrids outputs = OutputGrids::none;
  std::optional<int64_t> bits_inputs =
      {};  ///< of the graph's inputs where no override names them; absent: the defaults'
  /// A value whose maker says "floating point" goes on the grid of the quantised layer that reads it. (Without: the
  /// reader computes with floating-point numbers, or is refused with InputGrids::readers.)
  bool inputs_fall_back = false;
  const Runtime* runtime = nullptr;  ///< operators without a quantised form there stay in floating point
};

/// The values that need a quantiser, grouped by the grid they share, in topological order, with the rule of each grid.
///
/// Which values follows from the operators' roles (ops::Quantization): inputs of weighted and arithmetic operators need
/// a grid; what same_grid operators read and write shares one; an activation melts into the computing node before it,
/// so that their common quantiser stands behind the activation; what only leaves the graph, or feeds operators that
/// stay in floating point, needs none (unless `outputs` says so).
///
/// Which rule follows from who makes the value (under the names of owners()); input overrides and `inputs_fall_back`
/// look at who reads it. Throws a request error that names both when two layers want different grids for one value or
/// for values that share a grid, and when the graph has quantisers already.
std::vector<SharedGrid> find_grids(const Graph& graph, const InsertionOptions& options);

/// The node that makes a value, then the one whose activation it is, if that melts: under these names users find the
/// value in `overrides`.
std::vector<LayerName> owners(const Graph& graph, const std::string& value);

/// True when an activation function keeps the value from being negative.
bool rectified(const Graph& graph, const std::string& value);

/// Adds a problem when the graph has quantisers already.
void refuse_quantised(const Graph& graph, Problems& problems);

/// How the rules and the runtime let the operator be treated: its own role, or `none` where it stays in floating point.
ops::Quantization role_under(const Node& node, const InsertionOptions& options);

}  // namespace compress::quant
