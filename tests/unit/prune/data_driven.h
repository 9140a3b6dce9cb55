#pragma once

#include "graph/text_form.h"
#include "prune/criterion.h"
#include "train/trainer.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

namespace compress::prune::fixtures {

using Numbers = std::vector<double>;

inline Numbers numbers(const at::Tensor& tensor) {
  const auto flat = tensor.detach().to(at::kDouble).contiguous().flatten();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

template <class T>
std::unique_ptr<T> part(const Registry<T>& registry, const std::string& name, const std::string& arguments = "") {
  auto made = registry.make(name);
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml("{" + arguments + "}", "recipe.yaml"), name);
  return made;
}

inline Graph linear_graph() {
  auto graph = parse_graph("graph g(input: float[N,2]) -> (output = fc)\nparameter fc.weight: float[2,2]\n"
                           "parameter fc.bias: float[2]\nfc = Gemm(input, %fc.weight, %fc.bias) transB=1\n");
  graph.assign("fc.weight", at::arange(1, 5).to(at::kFloat).view({2, 2}).set_requires_grad(true));
  return graph;
}

/// A criterion for a linear layer with weights 1, 2, 3, 4.
struct Judge {
  Graph graph = linear_graph();
  std::string weight = "fc.weight";
  std::unique_ptr<Criterion> criterion;
  std::unique_ptr<analysis::Granularity> granularity;

  Judge(const std::string& name, const std::string& structures, const std::string& arguments = "")
      : criterion(part(criteria(), name, arguments)), granularity(part(analysis::granularities(), structures)) {
    Problems problems;
    bind(problems);
    problems.raise();
  }
  void bind(Problems& problems) { criterion->bind(graph, {weight}, *granularity, problems); }

  /// One mini-batch with these gradients.
  void see(const std::vector<float>& gradient) {
    graph.parameter(weight).value.mutable_grad() = at::tensor(gradient).view({2, 2});
    criterion->observe(graph);
  }
  Numbers strengths() const {
    const Moment moment;
    return numbers(
        criterion->strengths({.graph = graph, .parameter = weight, .granularity = *granularity, .moment = moment}));
  }
};

/// Images whose sample number n has the value n + 1 in every pixel of channel 0, and -(n + 1) in channel 1.
class NumberedImages final : public data::Dataset {
public:
  explicit NumberedImages(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  std::vector<data::FieldInfo> fields() const override { return {{"image", {2, 4, 4}, at::kFloat}}; }
  data::Batch batch(std::span<const int64_t> indices, const data::Draw&) const override {
    const auto rows = static_cast<int64_t>(indices.size());
    auto images = at::arange(rows * 32).to(at::kFloat).view({rows, 2, 4, 4});
    for (int64_t i = 0; i < rows; ++i) {
      const auto number = static_cast<double>(indices[static_cast<size_t>(i)] + 1);
      images[i][0].fill_(number);
      images[i][1].fill_(-number);
    }
    data::Batch batch;
    batch.fields["image"] = images;
    batch.size = rows;
    return batch;
  }

private:
  int64_t size_;
};

/// What a State refers to, for a graph of the test's.
struct Training {
  Graph& graph;
  std::unique_ptr<train::Optimizer> optimizer = train::make_optimizer({});
  std::unique_ptr<train::Task> task = train::make_task({}, "classification");
  data::Splits data = {};
  train::State state{.graph = graph, .optimizer = *optimizer, .data = data, .task = *task, .seed = 1};

  Training(Graph& network, data::DatasetPtr images) : graph(network) { data.calibration = std::move(images); }
};

}  // namespace compress::prune::fixtures
