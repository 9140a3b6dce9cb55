#pragma once

#include "analysis/difference.h"
#include "exec/plan.h"
#include "graph/graph.h"
#include "ops/quantization_grid.h"
#include "quant/statistics/extremes.h"
#include "quant/statistics/value_statistics.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What each quantiser of a network does to the numbers that it rounds.
namespace compress::quant {

/// One FakeQuantize.
struct QuantizerReport {
  enum class Role { activation, weight, bias, constant };

  std::string name;   ///< of the node
  std::string input;  ///< the value or parameter that it rounds
  Role role = Role::activation;
  std::vector<std::string> readers;  ///< nodes
  ops::GridSpec spec;
  std::string method;
  int64_t scales = 1;  ///< how many parts have a scale of their own
  /// From the lowest to the highest number of any of the grids; absent for formats that are not integers, and for grids
  /// that follow each batch.
  std::optional<Extremes> range = {};
  /// Of what was rounded; absent for values that nobody watched. The histogram is that of all numbers together.
  std::optional<ValueStatistics> seen = {};
  analysis::Difference error = {};  ///< of the rounded numbers from the numbers
  int64_t clipped = 0;              ///< numbers more than half a step beyond their grid

  double clipped_percent() const;
  /// "int8 symmetric narrow", "uint4 asymmetric", "float8_e4m3".
  std::string grid() const;
};
std::string_view role_word(QuantizerReport::Role role);

/// Constants are looked at at once, values batch by batch; nothing but sums and histograms is kept.
class QuantizerWatch {
public:
  /// `graph` must be finished (quant::finish), and outlive it.
  explicit QuantizerWatch(const Graph& graph);
  ~QuantizerWatch();

  /// The network's inputs. Throws a run error, which names the value, when one is not finite.
  void add(std::span<const at::Tensor> inputs);
  /// In the graph's order.
  const std::vector<QuantizerReport>& reports() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compress::quant
