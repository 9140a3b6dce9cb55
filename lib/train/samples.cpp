#include "train/samples.h"

#include "core/random.h"
#include "data/loader.h"
#include "train/trainer.h"

#include <algorithm>

namespace compress::train {

void for_training_samples(const Graph& graph,
                          const data::Splits& data,
                          const SampleChoice& choice,
                          const std::map<std::string, std::string>& inputs,
                          const std::function<void(const std::vector<at::Tensor>&)>& consume) {
  const auto& all = data.calibration;
  auto order = permutation(all->size(), Random(choice.seed, "calibration"));
  order.resize(static_cast<size_t>(std::min(choice.samples, all->size())));
  data::Loader loader(data::subset(all, std::move(order)), choice.batch_size, data::Order::sequential,
                      {.seed = choice.seed});
  for (data::Batch batch; loader.next(batch);) consume(graph_inputs(graph, batch, inputs, choice.device));
}

}  // namespace compress::train
