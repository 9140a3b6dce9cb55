#pragma once

#include "data/dataset.h"
#include "graph/graph.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace compress::train {

/// Which training samples to look at.
struct SampleChoice {
  int64_t samples = 0;
  int64_t batch_size = 128;
  uint64_t seed = 1;
  at::Device device = at::kCPU;
};

/// At most so many of the samples, drawn by the seed: those that for_training_samples() looks at.
data::DatasetPtr training_samples(const data::DatasetPtr& all, int64_t samples, uint64_t seed);

/// Calls `consume` with the graph's inputs, batch by batch, of at most so many training samples: without augmentation,
/// drawn by the seed, never of the test or validation split. `inputs`: graph input -> field, as in match_inputs().
void for_training_samples(const Graph& graph,
                          const data::Splits& data,
                          const SampleChoice& choice,
                          const std::map<std::string, std::string>& inputs,
                          const std::function<void(const std::vector<at::Tensor>&)>& consume);

}  // namespace compress::train
