#pragma once

#include "core/error.h"
#include "data/memory.h"
#include "graph/text_form.h"
#include "search/importance.h"
#include "support/tensors.h"
#include "train/hook.h"
#include "train/task.h"
#include "train/trainer.h"

#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <functional>
#include <memory>
#include <string>

namespace compress::search::test {

/// The default: by the mean magnitude of their weights.
inline Importance by_magnitude() {
  return by_criterion(prune::criteria().make("magnitude"), 1);
}

/// 4 numbers -> the largest of them. Of the 8 channels of conv1 the last four are read by nobody (in two of them the
/// weights are even large); every channel of conv2 is needed.
inline Graph redundant_network() {
  auto graph = parse_graph(R"(graph redundant(input: float[N,4,1,1]) -> (output = fc)
parameter conv1.weight: float[8,4,1,1]
parameter conv2.weight: float[4,8,1,1]
parameter fc.weight: float[4,4]
parameter fc.bias: float[4]
conv1 = Conv(input, %conv1.weight)
relu1 = Relu(conv1)
conv2 = Conv(relu1, %conv2.weight)
relu2 = Relu(conv2)
flat = Flatten(relu2)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  auto first = at::zeros({8, 4, 1, 1}), second = at::zeros({4, 8, 1, 1});
  for (int64_t i = 0; i < 4; ++i) {
    first.select(0, i).select(0, i).fill_(2);
    first.select(0, 4 + i).fill_(0.01 * static_cast<double>(i + 1));
    second.select(0, i).select(0, i).fill_(3);
  }
  graph.assign("conv1.weight", first);
  graph.assign("conv2.weight", second);
  graph.assign("fc.weight", at::eye(4));
  graph.assign("fc.bias", at::zeros({4}));
  return graph;
}

/// `samples` lists of 4 numbers between 0 and 1, labelled with the largest.
inline data::DatasetPtr largest_of_four(int64_t samples, double seed) {
  std::vector<float> images;
  std::vector<int64_t> labels;
  const auto numbers = compress::test::wild({samples, 4}, seed).abs().to(at::kFloat).contiguous();
  for (int64_t i = 0; i < samples; ++i) {
    const float* row = numbers.const_data_ptr<float>() + 4 * i;
    images.insert(images.end(), row, row + 4);
    labels.push_back(std::max_element(row, row + 4) - row);
  }
  return data::in_memory(
      samples, {{{"image", {4, 1, 1}}, data::as_bytes(images)}, {{"label", {}, at::kLong, 4}, data::as_bytes(labels)}});
}

/// A task that stops everything, as Ctrl-C does, after some batches.
class StoppingTask final : public train::Task {
public:
  StoppingTask(const train::Task& task, int batches) : task_(task), left_(batches) {}
  void declare(Settings&) override {}
  void bind(const Graph&, const std::vector<data::FieldInfo>&) override {}
  at::Tensor loss(const std::map<std::string, at::Tensor>& outputs, const data::Batch& batch) const override {
    return task_.loss(outputs, batch);
  }
  std::unique_ptr<train::Meter> meter() const override {
    if (left_-- <= 0) throw Error(Fault::interrupted, "the search was interrupted");
    return task_.meter();
  }
  std::string main_metric() const override { return task_.main_metric(); }
  bool higher_is_better() const override { return task_.higher_is_better(); }
  void check_batch(const data::Batch& batch) const override { task_.check_batch(batch); }

private:
  const train::Task& task_;
  mutable int left_;
};

/// Everything that a search's State refers to.
struct World {
  Graph graph;
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  std::unique_ptr<train::Optimizer> optimizer = train::make_optimizer({});
  data::Splits data{.train = largest_of_four(128, 1), .validation = largest_of_four(96, 2)};
  train::TrainingConfig config;
  train::State state;

  explicit World(Graph start = redundant_network(), const train::Task* other = nullptr)
      : graph(std::move(start)), state{.graph = graph,
                                       .optimizer = *optimizer,
                                       .data = data,
                                       .task = other ? *other : *task,
                                       .seed = 5} {
    task->bind(graph, data.train->fields());
    optimizer->bind(graph);
    state.config = &config;
    state.batch_size = 32;
    state.prefetch = 0;
  }
};

}  // namespace compress::search::test
