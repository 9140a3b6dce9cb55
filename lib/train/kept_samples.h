#pragma once

#include "data/dataset.h"
#include "graph/graph.h"
#include "train/task.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace compress::train {

/// The samples that variations of a network are compared on, in batches: read and prepared with the first pass, and
/// kept when they fit in 1 GB.
class KeptSamples {
public:
  struct Options {
    int64_t batch_size = 128;
    int64_t prefetch = 2;
    at::Device device = at::kCPU;
    std::map<std::string, std::string> inputs = {};  ///< graph input -> field, as in match_inputs()
    std::string purpose = "the search";              ///< for the message of an interrupt
  };
  /// A batch and the network's inputs taken from it, on the device.
  struct Prepared {
    data::Batch batch;
    std::vector<at::Tensor> inputs;
  };

  KeptSamples(data::DatasetPtr dataset, const Task& task, Options options);

  /// Every batch in the data set's order; all graphs must have the same inputs. Throws what the task finds wrong with a
  /// batch, and Error(Fault::interrupted) on Ctrl-C.
  void each(const Graph& graph, const std::function<void(const Prepared&)>& body) const;

  const Task& task() const { return task_; }
  int64_t size() const { return dataset_->size(); }
  int64_t batches() const { return (size() + options_.batch_size - 1) / options_.batch_size; }

private:
  Prepared prepare(const Graph& graph, const data::Batch& batch) const;

  data::DatasetPtr dataset_;
  const Task& task_;
  Options options_;
  bool in_memory_ = false;
  mutable std::vector<Prepared> kept_;
};

}  // namespace compress::train
