#include "train/kept_samples.h"

#include "core/interrupt.h"
#include "data/loader.h"
#include "train/outputs.h"
#include "train/trainer.h"

#include <algorithm>

namespace compress::train {

namespace {

constexpr int64_t kMostKeptBytes = int64_t{1} << 30;

int64_t bytes_of_samples(const data::Dataset& dataset) {
  int64_t bytes = 0;
  for (const auto& field : dataset.fields()) {
    int64_t one = static_cast<int64_t>(c10::elementSize(field.type));
    for (const auto size : field.shape) one *= std::max<int64_t>(size, 1);
    bytes += one * dataset.size();
  }
  return bytes;
}

}  // namespace

KeptSamples::KeptSamples(data::DatasetPtr dataset, const Task& task, Options options)
    : dataset_(std::move(dataset)), task_(task), options_(std::move(options)),
      in_memory_(bytes_of_samples(*dataset_) <= kMostKeptBytes) {}

KeptSamples::Prepared KeptSamples::prepare(const Graph& graph, const data::Batch& batch) const {
  throw_if_interrupted(options_.purpose.c_str());
  task_.check_batch(batch);
  return {to_device(batch, options_.device), graph_inputs(graph, batch, options_.inputs, options_.device)};
}

void KeptSamples::each(const Graph& graph, const std::function<void(const Prepared&)>& body) const {
  if (!kept_.empty()) {
    for (const auto& prepared : kept_) {
      throw_if_interrupted(options_.purpose.c_str());
      body(prepared);
    }
    return;
  }
  data::Loader loader(dataset_, options_.batch_size, data::Order::sequential, {}, options_.prefetch);
  std::vector<Prepared> read;
  for (data::Batch batch; loader.next(batch);) {
    auto prepared = prepare(graph, batch);
    body(prepared);
    if (in_memory_) read.push_back(std::move(prepared));
  }
  kept_ = std::move(read);
}

}  // namespace compress::train
