#include "train/samples.h"

#include "core/random.h"
#include "data/loader.h"
#include "train/trainer.h"

#include <algorithm>

namespace compress::train {

data::DatasetPtr training_samples(const data::DatasetPtr& all, int64_t samples, uint64_t seed) {
  auto order = permutation(all->size(), Random(seed, "calibration"));
  order.resize(static_cast<size_t>(std::min(samples, all->size())));
  return data::subset(all, std::move(order));
}

void for_training_samples(const Graph& graph,
                          const data::Splits& data,
                          const SampleChoice& choice,
                          const std::map<std::string, std::string>& inputs,
                          const std::function<void(const std::vector<at::Tensor>&)>& consume) {
  data::Loader loader(training_samples(data.calibration, choice.samples, choice.seed), choice.batch_size,
                      data::Order::sequential, {.seed = choice.seed});
  for (data::Batch batch; loader.next(batch);) consume(graph_inputs(graph, batch, inputs, choice.device));
}

}  // namespace compress::train
