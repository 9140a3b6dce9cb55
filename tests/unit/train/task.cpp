#include "train/task.h"

#include "small_graphs.h"
#include "support/check_error.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <limits>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

using Outputs = std::map<std::string, at::Tensor>;

/// A classifier with `classes` outputs, for binding a task.
Graph classifier(int64_t classes) {
  return parse_graph(fmt::format(
      "graph g(image: float[N,3]) -> (logits = fc)\nparameter w: float[{},3]\nfc = Gemm(image, %w) transB=1\n",
      classes));
}

const std::vector<data::FieldInfo> kImageFields = {{"image", {3}, at::kFloat}, {"label", {}, at::kLong}};

std::unique_ptr<Task> bound_classification(int64_t classes) {
  auto task = make(tasks(), "classification");
  task->bind(classifier(classes), kImageFields);
  return task;
}

data::Batch labels(const std::vector<int64_t>& labels) {
  return {.fields = {{"label", at::tensor(labels, at::kLong)}}, .size = std::ssize(labels)};
}

Metrics measure(const Task& task, const at::Tensor& logits, const std::vector<int64_t>& label) {
  const auto meter = task.meter();
  meter->add({{"logits", logits}}, labels(label));
  return meter->result();
}

TEST_CASE("classification: top1, top5 and loss in percent and nats, over all batches", "[train]") {
  const auto task = bound_classification(7);
  const auto meter = task->meter();
  const at::Tensor descending = at::tensor({7., 6., 5., 4., 3., 2., 1.}, at::kFloat).unsqueeze(0);
  meter->add({{"logits", descending}}, labels({0}));
  meter->add({{"logits", at::cat({descending, descending, descending})}}, labels({4, 5, 0}));
  const auto metrics = meter->result();
  REQUIRE(metric(metrics, "top1") == 50);
  REQUIRE(metric(metrics, "top5") == 75);
  double sum = 0;
  for (int i = 1; i <= 7; ++i) sum += std::exp(i);
  REQUIRE(metric(metrics, "loss") == Approx(std::log(sum) - (7 + 3 + 2 + 7) / 4.0));
  REQUIRE(std::isnan(metric(metrics, "mse")));
  REQUIRE(task->main_metric() == "top1");
  REQUIRE(task->higher_is_better());
}

TEST_CASE("classification: with few classes the second metric is top of all of them", "[train]") {
  const auto metrics = measure(*bound_classification(3), at::tensor({1., 2., 3.}, at::kFloat).unsqueeze(0), {0});
  REQUIRE(metric(metrics, "top3") == 100);
}

TEST_CASE("classification: equal logits count for the lowest class, as argmax does, and NaN for none", "[train]") {
  const auto task = bound_classification(7);
  const at::Tensor equal = at::tensor(std::vector<double>(7, 0.5), at::kFloat).unsqueeze(0);
  REQUIRE(metric(measure(*task, equal, {0}), "top1") == 100);
  REQUIRE(metric(measure(*task, equal, {1}), "top1") == 0);
  REQUIRE(metric(measure(*task, equal * std::numeric_limits<double>::quiet_NaN(), {0}), "top5") == 0);
}

TEST_CASE("classification: the loss is the mean cross-entropy", "[train]") {
  const auto task = bound_classification(2);
  const auto loss = task->loss({{"logits", at::tensor({0., 0., 3., 0.}, at::kFloat).view({2, 2})}}, labels({1, 0}));
  REQUIRE(loss.item<double>() == Approx((std::log(2) + std::log(1 + std::exp(-3))) / 2));
}

TEST_CASE("classification: label smoothing and class weights are PyTorch's", "[train]") {
  const double smoothing = 0.2, weights[] = {1, 2, 0.5};
  const std::vector<double> logits = {0.5, -1, 2, 0, 1, 0.25};
  const std::vector<int64_t> label = {2, 1};
  // Mean over samples of (1 - s) w[y] (-log p[y]) + s / C sum over c of w[c] (-log p[c]), weighted by w[y].
  const auto expected = [&](bool weighted) {
    double sum = 0, share = 0;
    for (size_t i = 0; i < label.size(); ++i) {
      const double* row = &logits[3 * i];
      const double all = std::log(std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2]));
      const auto weight = [&](size_t c) { return weighted ? weights[c] : 1; };
      const auto y = static_cast<size_t>(label[i]);
      sum += (1 - smoothing) * weight(y) * (all - row[y]);
      for (size_t c = 0; c < 3; ++c) sum += smoothing / 3 * weight(c) * (all - row[c]);
      share += weight(y);
    }
    return sum / share;
  };
  const auto loss = [&](const char* arguments) {
    auto task = make(tasks(), "classification", arguments);
    task->bind(classifier(3), kImageFields);
    const at::Tensor rows = at::tensor(logits, at::kFloat).view({2, 3});
    REQUIRE(metric(measure(*task, rows, label), "loss") ==
            Approx(metric(measure(*bound_classification(3), rows, label), "loss")));
    return task->loss({{"logits", rows}}, labels(label)).item<double>();
  };
  REQUIRE(loss("{label_smoothing: 0.2}") == Approx(expected(false)));
  REQUIRE(loss("{label_smoothing: 0.2, class_weights: [1, 2, 0.5]}") == Approx(expected(true)));
  require_error([&] { loss("{class_weights: [1, 2]}"); },
                "task 'classification': 'class_weights' has 2 numbers, but output 'logits' of 'g' has 3 classes");
  require_error([&] { loss("{label_smoothing: 2}"); }, "'label_smoothing'", "in [0, 1]");
}

TEST_CASE("classification: the confusion matrix counts predictions for each label, none for NaN", "[train]") {
  const auto task = make(tasks(), "classification", "{confusion_matrix: true}");
  task->bind(classifier(3), kImageFields);
  const auto meter = task->meter();
  REQUIRE(meter->confusion().empty());
  const at::Tensor logits = at::tensor({1., 0., 0., 0., 1., 1., 0., 0., 1.}, at::kFloat).view({3, 3});
  meter->add({{"logits", logits}}, labels({0, 1, 1}));
  meter->add({{"logits", logits * std::numeric_limits<double>::quiet_NaN()}}, labels({0, 1, 2}));
  meter->add({{"logits", logits}}, labels({2, 1, 1}));
  const auto matrix = meter->confusion();
  REQUIRE(matrix.counts == std::vector<std::vector<int64_t>>{{1, 0, 0}, {0, 2, 2}, {1, 0, 0}});
  REQUIRE(matrix.csv({"cat", "dog", "cow"}) == "label,cat,dog,cow\ncat,1,0,0\ndog,0,2,2\ncow,1,0,0\n");
  REQUIRE(matrix.csv({}) == "label,0,1,2\n0,1,0,0\n1,0,2,2\n2,1,0,0\n");
  REQUIRE(bound_classification(3)->meter()->confusion().empty());
}

TEST_CASE("classification: a loss that is no number prints without a sign", "[train]") {
  const auto task = bound_classification(3);
  const auto meter = task->meter();
  meter->add(
      {{"logits", at::tensor({0., 0., 0.}, at::kFloat).view({1, 3}) * -std::numeric_limits<double>::quiet_NaN()}},
      labels({0}));
  REQUIRE(fmt::format("{:.4f}", metric(result_of(*meter), "loss")) == "nan");
}

TEST_CASE("classification: a label that the network has no class for is named", "[train]") {
  require_error(
      [] {
        bound_classification(3)->check_batch(labels({0, 2, 3}));
      },
      "sample 2 of the mini-batch has label 3, but the model's output 'logits' has 3 classes (0 to 2)");
  require_error([] { bound_classification(3)->check_batch(labels({-1})); }, "has label -1");
}

TEST_CASE("tasks: what does not fit the graph or the data is refused before any work", "[train]") {
  const Graph graph = classifier(3);
  const auto bind = [&](const char* name, const char* arguments, const std::vector<data::FieldInfo>& fields) {
    make(tasks(), name, arguments)->bind(graph, fields);
  };
  require_error(
      [&] {
        bind("classification", "{}", {{"image", {3}}});
      },
      "task 'classification' needs a field 'label' of the data; they have: image");
  require_error([&] { bind("classification", "{label: lable}", kImageFields); }, "did you mean 'label'?");
  require_error([&] { bind("classification", "{label: image}", kImageFields); },
                "needs one integer as label, but field 'image' of the data is 3");
  require_error([&] { bind("classification", "{output: logit}", kImageFields); },
                "has no output 'logit'; it has: logits", "'logits'");
  require_error(
      [&] {
        bind("regression", "{target: image}", {{"image", {4}}});
      },
      "output 'logits' of 'g' is 3 for each sample, but field 'image' of the data is 4");
  require_error(
      [&] {
        make(tasks(), "classification")
            ->bind(parse_graph("graph h(x: float[N,3,4]) -> (y = r)\nr = Relu(x)\n"), kImageFields);
      },
      "needs an output of one number for each class, but 'y' of 'h' is 3x4 for each sample");
}

TEST_CASE("regression: mse and mae over all numbers of all batches", "[train]") {
  const auto task = make(tasks(), "regression");
  task->bind(linear_net(), {{"x", {3}}, {"y", {2}}});
  const auto batch = [](std::vector<double> y) {
    const auto size = std::ssize(y) / 2;
    return data::Batch{.fields = {{"y", at::tensor(y, at::kFloat).view({size, 2})}}, .size = size};
  };
  const auto meter = task->meter();
  meter->add({{"y", at::tensor({0., 0.}, at::kFloat).view({1, 2})}}, batch({1, -3}));
  meter->add({{"y", at::tensor({1., 1., 1., 1.}, at::kFloat).view({2, 2})}}, batch({1, 1, 1, 3}));
  REQUIRE(metric(meter->result(), "mse") == Approx(14.0 / 6));
  REQUIRE(metric(meter->result(), "mae") == Approx(1));
  REQUIRE_FALSE(task->higher_is_better());
  REQUIRE(task->main_metric() == "mse");
  const auto loss = task->loss({{"y", at::tensor({0., 0.}, at::kFloat).view({1, 2})}}, batch({1, -3}));
  REQUIRE(loss.item<double>() == Approx(5));
}

TEST_CASE("tasks: the section chooses, else the data set does", "[train]") {
  REQUIRE(make_task(Yaml{}, "regression")->main_metric() == "mse");
  REQUIRE(make_task(parse_yaml("{class: classification}", "t.yaml"), "regression")->main_metric() == "top1");
  require_error([] { make_task(parse_yaml("{class: clasification}", "t.yaml"), "regression"); },
                "unknown task 'clasification'", "did you mean 'classification'?");
}

}  // namespace
}  // namespace compress::train
