#include "early_exit/exit_task.h"

#include "early_exit/exit_report.h"
#include "exec/plan.h"
#include "support/check_error.h"
#include "train/outputs.h"
#include "train/trainer.h"
#include "unit/early_exit/networks.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace compress;
using namespace compress::early_exit;
using namespace compress::early_exit::fixtures;
using compress::test::require_error;

namespace {

const std::vector<data::FieldInfo> kFields{{"image", {1, 8, 8}, at::kFloat}, {"label", {}, at::kLong, 3}};

std::unique_ptr<train::Task> task_of(const Graph& graph, const std::string& settings = "") {
  auto task = with_exits(train::make_task(parse_yaml("{class: classification" + settings + "}", "t.yaml"), ""), graph);
  task->bind(graph, kFields);
  return task;
}

/// Three samples of three classes, and what a network and its exit say of them: the exit is sure of the first (rightly)
/// and of the second (wrongly), the network is right about all.
data::Batch labels() {
  return {.fields = {{"label", compress::test::integers({0, 1, 2})}}, .size = 3};
}
train::Outputs answers() {
  return {{"output", compress::test::numbers({2, 1, 0, 0, 2, 1, 0, 1, 2}).view({3, 3})},
          {"exits.early", compress::test::numbers({9, 0, 0, 9, 0, 0, 0, 0, 0.1}).view({3, 3})}};
}

double cross_entropy(const std::vector<double>& logits, size_t label) {
  double sum = 0;
  for (const auto logit : logits) sum += std::exp(logit);
  return std::log(sum) - logits[label];
}
const double kFinalLoss =
    cross_entropy({2, 1, 0}, 0) / 3 + cross_entropy({0, 2, 1}, 1) / 3 + cross_entropy({0, 1, 2}, 2) / 3;
const double kEarlyLoss =
    (cross_entropy({9, 0, 0}, 0) + cross_entropy({9, 0, 0}, 1) + cross_entropy({0, 0, 0.1}, 2)) / 3;

train::Metrics metrics_at(double threshold) {
  const auto graph = network_with_exit(0.3, threshold);
  const auto task = task_of(graph);
  const auto meter = task->meter();
  meter->add(answers(), labels());
  return meter->result();
}

}  // namespace

TEST_CASE("exit task: the loss is the weighted sum of all", "[early_exit]") {
  const auto graph = network_with_exit(0.3);
  REQUIRE(task_of(graph)->loss(answers(), labels()).item<double>() == Approx(0.7 * kFinalLoss + 0.3 * kEarlyLoss));
  const auto untrained = network_with_exit(0);
  REQUIRE(task_of(untrained)->loss(answers(), labels()).item<double>() == Approx(kFinalLoss));
}

TEST_CASE("exit task: two exits share the loss with the network's own output", "[early_exit]") {
  auto graph = network_with_exit(0.25);
  attach(graph, "late: {value: relu2, loss_weight: 0.5, threshold: 0.5}");
  auto outputs = answers();
  outputs["exits.late"] = outputs.at("output");
  REQUIRE(task_of(graph)->loss(outputs, labels()).item<double>() == Approx(0.75 * kFinalLoss + 0.25 * kEarlyLoss));
}

TEST_CASE("exit task: smoothing and class weights of the task hold for every exit", "[early_exit]") {
  const auto graph = network_with_exit(0.3);
  const auto plain = small_network();
  const auto inner = task_of(plain, ", label_smoothing: 0.1, class_weights: [1, 2, 3]");
  const auto alone = [&](const std::string& name) {
    return inner->loss({{"output", answers().at(name)}}, labels()).item<double>();
  };
  REQUIRE(
      task_of(graph, ", label_smoothing: 0.1, class_weights: [1, 2, 3]")->loss(answers(), labels()).item<double>() ==
      Approx(0.7 * alone("output") + 0.3 * alone("exits.early")));
}

TEST_CASE("exit task: gradients reach the network by both ways", "[early_exit]") {
  auto graph = network_with_exit(0.3);
  for (Parameter& parameter : graph.parameters()) parameter.value.requires_grad_(true);
  const exec::Plan plan(graph, {.mode = exec::Mode::train});
  const auto x = compress::test::wild({3, 1, 8, 8}).to(at::kFloat);
  task_of(graph)->loss(train::named_outputs(graph, plan.run({{x}})), labels()).backward();
  for (const auto& parameter : graph.parameters()) {
    INFO(parameter.name);
    REQUIRE(parameter.value.grad().defined());
    REQUIRE(parameter.value.grad().abs().max().item<double>() > 0);
  }
}

TEST_CASE("exit task: each sample is answered by the first exit that is sure enough", "[early_exit]") {
  const auto metrics = metrics_at(0.5);
  REQUIRE(train::metric(metrics, "exits.early.share") == Approx(200.0 / 3));
  REQUIRE(train::metric(metrics, "exits.final.share") == Approx(100.0 / 3));
  REQUIRE(train::metric(metrics, "exits.early.correct") == Approx(100.0 / 3));
  REQUIRE(train::metric(metrics, "exits.final.correct") == Approx(100.0 / 3));
  REQUIRE(train::metric(metrics, "exits.early.top1") == Approx(200.0 / 3));
  REQUIRE(train::metric(metrics, "exits.final.top1") == Approx(100));
  REQUIRE(train::metric(metrics, "top1") == Approx(200.0 / 3));
  REQUIRE(train::metric(metrics, "loss") ==
          Approx((cross_entropy({9, 0, 0}, 0) + cross_entropy({9, 0, 0}, 1) + cross_entropy({0, 1, 2}, 2)) / 3));
}

TEST_CASE("exit task: threshold 0 never leaves early, threshold 1 always", "[early_exit]") {
  const auto never = metrics_at(0);
  REQUIRE(train::metric(never, "exits.early.share") == 0);
  REQUIRE(train::metric(never, "exits.final.share") == 100);
  REQUIRE(train::metric(never, "top1") == Approx(100));
  const auto always = metrics_at(1);
  REQUIRE(train::metric(always, "exits.early.share") == 100);
  REQUIRE(train::metric(always, "exits.final.share") == 0);
  REQUIRE(train::metric(always, "top1") == train::metric(always, "exits.early.top1"));
}

TEST_CASE("exit task: shares and right answers add up over batches, whatever the thresholds", "[early_exit]") {
  auto graph = network_with_exit(0.2, 0.8);
  attach(graph, "late: {value: relu2, loss_weight: 0.3, threshold: 0.9}");
  const auto task = task_of(graph);
  const auto meter = task->meter();
  for (int batch = 0; batch < 3; ++batch) {
    train::Outputs outputs;
    for (const auto& output : graph.outputs)
      outputs[output.name] = compress::test::wild({20, 3}, static_cast<double>(batch + 7 * outputs.size())).mul(3);
    const auto label = compress::test::wild({20}, batch + 0.5).abs().mul(3).floor().to(at::kLong);
    meter->add(outputs, {.fields = {{"label", label}}, .size = 20});
  }
  const auto report = exit_report(graph, meter->result());
  double share = 0, correct = 0;
  for (const auto& exit : report.exits) {
    REQUIRE(exit.share > 0);
    share += exit.share;
    correct += exit.correct;
  }
  REQUIRE(share == Approx(100));
  REQUIRE(correct == Approx(train::metric(meter->result(), "top1")));
}

TEST_CASE("exit task: a task that chooses no class is refused at the recipe's section", "[early_exit]") {
  const auto graph = network_with_exit();
  const auto task = with_exits(train::make_task(Yaml{}, "regression"), graph, {"recipe.yaml", 3, 1});
  require_error(
      [&] {
        task->bind(graph, {{"image", {1, 8, 8}, at::kFloat}, {"y", {3}, at::kFloat}});
      },
      "recipe.yaml:3:1: error: early exits are for the task 'classification'");
}

TEST_CASE("exit task: a graph without exits keeps its task", "[early_exit]") {
  const auto graph = small_network();
  const auto task = task_of(graph);
  REQUIRE(task->meter()->result().size() == 3);
}

TEST_CASE("exit report: shares, accuracies and costs", "[early_exit]") {
  const auto graph = network_with_exit(0.3, 0.5);
  const auto report = exit_report(graph, metrics_at(0.5));
  REQUIRE(report.exits.size() == 2);
  REQUIRE(report.exits[0].name == "early");
  REQUIRE(report.exits[0].top1_leaving() == Approx(50));
  REQUIRE(report.exits[1].name == "final");
  REQUIRE(report.exits[1].loss_weight == Approx(0.7));
  REQUIRE(report.exits[1].top1_leaving() == Approx(100));
  REQUIRE(report.mean_macs == Approx((2.0 * report.exits[0].macs + report.exits[1].macs) / 3));
  const auto json = to_json(report);
  REQUIRE(json.at("exits").at(0).at("threshold") == 0.5);
  REQUIRE_FALSE(json.at("exits").at(1).contains("threshold"));
  REQUIRE(to_json(exit_report(graph, metrics_at(0))).at("exits").at(0).at("top1_of_these").is_null());
  REQUIRE(report.str().find("early") != std::string::npos);
  REQUIRE(exit_report(small_network(), {}).empty());
}
