#pragma once

#include "data/dataset.h"

#include <memory>

namespace compress::data {

enum class Order { sequential, shuffled };

/// Batches of one pass over a data set; up to `prefetch` are made ahead, each by a thread of its own (one a core at
/// most). The order of a shuffled pass is a function of (seed, epoch); nothing depends on the number of threads.
class Loader {
public:
  Loader(DatasetPtr dataset, int64_t batch_size, Order order, Draw draw, int64_t prefetch = 2);
  ~Loader();
  Loader(const Loader&) = delete;

  /// False after the last batch. An error of a reading thread is thrown here, after the batches before it.
  bool next(Batch& batch);
  int64_t batches() const { return batches_; }

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  int64_t batches_;
};

}  // namespace compress::data
