#include "run/comparable.h"

#include "core/random.h"
#include "passes/pass.h"
#include "quant/training/conv_batch_normalization.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>

namespace compress::run {

namespace {

at::Tensor random_input(const GraphInput& input, int64_t samples, Random random) {
  auto shape = input.shape;
  for (auto& size : shape)
    if (size == kBatch) size = samples;
  auto values = at::empty(shape, at::kFloat);
  const bool real = at::isFloatingType(input.type);
  auto* numbers = values.mutable_data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i)
    numbers[i] = real ? static_cast<float>(random.normal()) : static_cast<float>(random.below(2));
  return values.to(input.type);
}

}  // namespace

Graph comparable(const Graph& graph) {
  auto copy = graph.clone();
  quant::fold_conv_batch_normalization(copy);
  for (const auto* pass : {"fold_batchnorm", "remove_identity"}) passes::passes().make(pass)->run(copy);
  return copy;
}

void for_random_inputs(const Graph& graph,
                       const RandomInputs& choice,
                       const std::function<void(const std::vector<at::Tensor>&)>& consume) {
  for (int64_t first = 0; first < choice.samples; first += choice.batch_size) {
    const auto count = std::min(choice.batch_size, choice.samples - first);
    std::vector<at::Tensor> inputs;
    for (const auto& input : graph.inputs)
      inputs.push_back(
          random_input(input, count, Random(choice.seed, "input " + input.name, {static_cast<uint64_t>(first)})));
    consume(inputs);
  }
}

}  // namespace compress::run
