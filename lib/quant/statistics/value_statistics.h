#pragma once

#include "graph/graph.h"
#include "quant/statistics/extremes.h"
#include "quant/statistics/histogram.h"

#include <ATen/core/Tensor.h>

#include <map>
#include <optional>
#include <set>
#include <string>

namespace compress::quant {

/// What observers want to be known of a value beyond extremes, averages and moments.
struct StatisticsNeeds {
  bool histogram = false;
  bool deviation = false;        ///< the mean absolute deviation
  std::set<double> decays = {};  ///< of moving averages of the extremes

  StatisticsNeeds& operator|=(const StatisticsNeeds& other);
};

/// What a statistics file keeps of a value (Distiller's fields; statistics_file.h).
struct StatisticsRecord {
  Extremes extremes, averaged;
  double mean = 0;
  std::optional<double> standard_deviation, mean_absolute_deviation;
  Shape shape;          ///< of a batch; empty: unknown
  int64_t numbers = 0;  ///< of all batches; 0: unknown
};

/// Watches one value batch by batch; any number of observers answer from it afterwards, so that one pass feeds them
/// all.
///
/// A sample is an index of the value's first axis. Nothing but the moving averages depends on how samples come in
/// batches (bit for bit), and nothing else but rounding (1e-12) on their order. Memory: O(bins).
class ValueStatistics {
public:
  ValueStatistics(std::string name, StatisticsNeeds needs);
  /// What was watched earlier, from a file: it cannot tell everything, and what it cannot throws a request error that
  /// names the value.
  ValueStatistics(std::string name, const StatisticsRecord& record);
  StatisticsRecord record() const;

  /// A batch [samples, ...] of floating-point numbers or integers. Throws a run error, which names the value, when the
  /// batch holds nothing, or a number that is not finite.
  void watch(const at::Tensor& batch);
  /// The same for a batch that comes in parts, as exec::Plan has it: end_batch() after the last of them.
  void watch_part(const at::Tensor& part);
  void end_batch();

  /// Throws a run error when no batch was watched; so do all below.
  void require_seen() const;
  const std::string& name() const { return name_; }
  int64_t samples() const { return samples_; }
  Extremes extremes() const;
  /// Means of the samples' extremes (Distiller's avg_min, avg_max).
  Extremes averaged_extremes() const;
  /// Exponential moving average of the extremes of the batches that have ended, corrected for its start (divided by
  /// 1 - decay^batches).
  Extremes moving_average(double decay) const;
  double mean() const;
  /// The divisor is n-1; 0 for a single number.
  double standard_deviation() const;
  /// Mean of |x - mean|; from the histogram, so to within a small part of its bins' width.
  double mean_absolute_deviation() const;
  const Histogram& histogram() const;

  /// As if every number had been cut to [low, high], which holds 0, before it was watched; mean and deviations stay
  /// those of the numbers themselves, as Distiller's net-aware ranges leave them.
  void clip(const Extremes& bounds);

private:
  struct Sample;
  void include(const Sample& sample, int64_t numbers);
  void refuse_from_file(std::string_view what) const;

  std::string name_;
  bool wants_histogram_ = false;
  std::optional<StatisticsRecord> file_ = {};
  std::optional<double> deviation_ = {};  ///< as it was before clip()
  Shape shape_ = {};
  int64_t samples_ = 0, batches_ = 0;
  double numbers_ = 0;
  Extremes extremes_, sums_;
  std::optional<Extremes> batch_ = {};  ///< the parts of the batch so far
  double mean_ = 0, squares_ = 0;       ///< the latter: sum of squared distances from the mean
  std::map<double, Extremes> averages_;
  Histogram histogram_;
};

/// What is known of values, by name.
using Statistics = std::map<std::string, ValueStatistics>;

}  // namespace compress::quant
