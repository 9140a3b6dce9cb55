#pragma once

#include "data/dataset.h"
#include "graph/graph.h"
#include "train/kept_samples.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace compress::search {

/// How good a network is, by the task's main metric and, where that is equal, by its loss.
struct Score {
  double metric = 0;
  double loss = 0;  ///< NaN when the task has none
  bool higher_is_better = true;

  /// What is no number is worse than any number.
  bool better_than(const Score& other) const;
};

/// The samples that a search goes by, and those that it may train on.
struct SearchData {
  data::DatasetPtr validation, train;
};
/// The validation split, or where there is none a tenth of the training samples, which are then not trained on; never
/// the test split. At most `samples` of them (0: all), chosen by seed.
SearchData search_data(const data::Splits& splits, int64_t samples, uint64_t seed);

/// Scores networks on the same samples, which are read once and kept in memory when they fit.
class Evaluator {
public:
  using Options = train::KeptSamples::Options;
  Evaluator(data::DatasetPtr dataset, const train::Task& task, Options options)
      : samples_(std::move(dataset), task, std::move(options)) {}

  Score score(const Graph& graph) const;

  /// Scores variations of a network of the same nodes. What they have in common with it up to their first difference is
  /// computed once. `done` hears of the share that is done.
  std::vector<Score> scores(const Graph& base,
                            const std::vector<const Graph*>& variations,
                            const std::function<void(double)>& done = {}) const;

private:
  Score score_of(const train::Meter& meter) const;

  train::KeptSamples samples_;
};

}  // namespace compress::search
