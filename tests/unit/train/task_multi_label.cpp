#include "small_graphs.h"
#include "support/check_error.h"
#include "train/task.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

#include <limits>

// The expected numbers are those of task_values.py.
namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

Graph three_labels() {
  return parse_graph(
      "graph g(image: float[N,3]) -> (logits = fc)\nparameter w: float[3,3]\nfc = Gemm(image, %w) transB=1\n");
}

const std::vector<data::FieldInfo> kLabelledFields = {{"image", {3}, at::kFloat}, {"labels", {3}, at::kFloat}};

std::unique_ptr<Task> bound_multi_label(const std::string& arguments = "{}") {
  auto task = make(tasks(), "multi_label", arguments);
  task->bind(three_labels(), kLabelledFields);
  return task;
}

data::Batch label_batch(const std::vector<double>& labels, at::ScalarType type = at::kFloat) {
  const auto size = std::ssize(labels) / 3;
  return {.fields = {{"labels", at::tensor(labels, at::kDouble).to(type).view({size, 3})}}, .size = size};
}

at::Tensor rows_of_three(const std::vector<double>& logits) {
  return at::tensor(logits, at::kFloat).view({-1, 3});
}

TEST_CASE("multi_label: map, micro_f1, label accuracy and loss over all batches; equal scores count together",
          "[train]") {
  const auto task = bound_multi_label();
  const auto meter = task->meter();
  meter->add({{"logits", rows_of_three({2, -1, 0.5, 0.5, 0.5, -2})}}, label_batch({1, 0, 0, 0, 1, 0}));
  meter->add({{"logits", rows_of_three({-1.5, 2, 1, 0.5, -0.5, 3})}}, label_batch({0, 1, 0, 1, 0, 0}));
  const auto metrics = meter->result();
  REQUIRE(metric(metrics, "map") == Approx(91.66666666666666));
  REQUIRE(metric(metrics, "micro_f1") == Approx(66.66666666666667));
  REQUIRE(metric(metrics, "label_accuracy") == Approx(66.66666666666666));
  REQUIRE(metric(metrics, "loss") == Approx(0.7189744132185325));
  REQUIRE(task->main_metric() == "map");
  REQUIRE(task->higher_is_better());
}

TEST_CASE("multi_label: the loss is the mean binary cross-entropy, also of labels in bytes", "[train]") {
  const auto task = bound_multi_label();
  const auto logits = rows_of_three({2, -1, 0.5, 0.5, 0.5, -2, -1.5, 2, 1, 0.5, -0.5, 3});
  const auto batch = label_batch({1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0}, at::kByte);
  REQUIRE(task->loss({{"logits", logits}}, batch).item<double>() == Approx(0.7189744132185325));
}

TEST_CASE("multi_label: a threshold moves micro_f1 but not map; NaN is the last in every order", "[train]") {
  const auto task = bound_multi_label("{threshold: 0.9}");
  const auto meter = task->meter();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  meter->add({{"logits", rows_of_three({1, nan, 5, 0, 1, 4})}}, label_batch({1, 1, 1, 0, 0, 1}));
  const auto metrics = meter->result();
  REQUIRE(metric(metrics, "map") == Approx(100 * (1 + 0.5 + 1) / 3));
  REQUIRE(metric(metrics, "micro_f1") == Approx(200.0 * 2 / (2 + 4)));
}

TEST_CASE("multi_label: a meter without samples has its metrics' names", "[train]") {
  const auto metrics = bound_multi_label()->meter()->result();
  REQUIRE(metrics.size() == 4);
  REQUIRE(metric(metrics, "map") == 0);
}

TEST_CASE("multi_label: a label that is neither 0 nor 1 is named", "[train]") {
  require_error(
      [] {
        bound_multi_label()->check_batch(label_batch({0, 1, 1, 0, 2, 0}));
      },
      "sample 1 of the mini-batch has 2 for label 1 in field 'labels'; labels are 0 or 1");
}

TEST_CASE("multi_label: what does not fit the graph or the data is refused", "[train]") {
  const auto bind = [](const std::vector<data::FieldInfo>& fields) {
    make(tasks(), "multi_label")->bind(three_labels(), fields);
  };
  require_error([&] { bind({{"image", {3}}}); }, "task 'multi_label' needs a field 'labels' of the data");
  require_error(
      [&] {
        bind({{"labels", {5}}});
      },
      "output 'logits' of 'g' has 3 labels, but field 'labels' of the data is 5", "a 0 or 1 for each label");
  require_error([] { make(tasks(), "multi_label", "{threshold: 1}"); }, "threshold");
}

}  // namespace
}  // namespace compress::train
