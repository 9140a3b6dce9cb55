#pragma once

#include "quant/statistics/value_statistics.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Statistics of values as a file, in the form of Distiller's acts_quantization_stats.yaml:
///
///     conv1:
///       inputs:
///         0: {min: -2.1, max: 2.6, avg_min: -1.9, avg_max: 2.4, mean: 0.1, std: 1.0, b: 0.8, shape: "(128, 3, 32,
///         32)",
///             total_numel: 1572864}
///       output: {...}
///
/// `std`, `b` (mean of |x - mean|), `shape` and `total_numel` may be absent; histograms and moving averages are not in
/// it, so not every observer can choose a range from a file.
namespace compress::quant {

/// The statistics of the named values. What an operator reads (`inputs`) counts before what another wrote (`output`):
/// behind a folded batch-norm only the former is still true. Layers that the graph does not have are not looked at.
/// Throws a request error with file and line when something is no statistics, when a value is missing, and when names
/// or shapes are those of another model.
Statistics
read_statistics(const std::filesystem::path& path, const Graph& graph, const std::vector<std::string>& values);

/// Writes what is known of each node's inputs and output. Reading it again gives the same numbers, bit for bit.
void write_statistics(const std::filesystem::path& path, const Graph& graph, const Statistics& statistics);

/// The observers that can choose a range from a statistics file, by name.
std::vector<std::string> file_observers();

/// Throws a request error, which names the ones that work, when an observer needs what no statistics file holds.
void check_file_observer(std::string_view name, const StatisticsNeeds& needs);

}  // namespace compress::quant
