#include "quant/post_training/net_aware.h"

#include "core/file.h"
#include "passes/pass.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <limits>

using namespace compress;
using namespace compress::test;
using namespace compress::quant;

namespace {

/// Two linear layers, the second of 8 outputs, and what follows it.
Graph after_linear(const std::string& tail) {
  return filled_graph("graph net(input: float[N,4]) -> (output = out)\nparameter fc.weight: float[8,4]\n"
                      "fc = Gemm(input, %fc.weight) transB=1\n" +
                      tail);
}

std::optional<Extremes> range_of_fc(const std::string& tail) {
  const auto ranges = telling_ranges(after_linear(tail));
  const auto found = ranges.find("fc");
  return found == ranges.end() ? std::nullopt : std::optional(found->second);
}

void require_range_of_fc(const std::string& tail, double low, double high) {
  const auto range = range_of_fc(tail);
  REQUIRE(range);
  REQUIRE(range->low == low);
  REQUIRE(range->high == high);
}

/// "conv(10,20,3)", "batch_norm(20)", "relu", ... of Distiller's tests as a folded graph; the layer is called `layer`.
Graph folded_chain(const nlohmann::json& golden) {
  std::string text = "layer = Gemm(input, %layer.weight) transB=1\nbn = BatchNormalization(layer, %g, %b, %m, %v)\n";
  const auto op = [](std::string name) {
    name[0] = static_cast<char>(std::toupper(name[0]));
    return name;
  };
  if (golden.contains("activation")) {
    text += "act = " + op(golden.at("activation")) + "(bn)\nout = Softmax(act)\n";
  } else {
    text += "split, split:1 = Split(bn) axis=1\n";
    text += "one = " + op(golden.at("activations")[0]) + "(split)\n";
    text += "other = " + op(golden.at("activations")[1]) + "(split:1)\nout = Add(one, other)\n";
  }
  auto graph =
      filled_graph("graph net(input: float[N,4]) -> (output = out)\nparameter layer.weight: float[8,4]\n"
                   "parameter g: float[8]\nparameter b: float[8]\nparameter m: float[8]\nparameter v: float[8]\n" +
                   text);
  passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  return graph;
}

std::string record_text(const nlohmann::json& record) {
  return fmt::format("{{min: {}, max: {}, avg_min: {}, avg_max: {}, mean: {}, std: {}}}",
                     record.at("min").get<double>(), record.at("max").get<double>(), record.at("avg_min").get<double>(),
                     record.at("avg_max").get<double>(), record.at("mean").get<double>(),
                     record.at("std").get<double>());
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("net_aware: an activation tells part of its input's range apart") {
  require_range_of_fc("out = Relu(fc)\n", 0, kInfinity);
  require_range_of_fc("out = Clip(fc) max=6.0 min=0.0\n", 0, 6);
  require_range_of_fc("out = Tanh(fc)\n", -4, 4);
  require_range_of_fc("out = Sigmoid(fc)\n", -6, 6);
  REQUIRE_FALSE(range_of_fc("out = Elu(fc)\n"));
}

TEST_CASE("net_aware: behind a Split, all branches count") {
  const std::string split = "split, split:1 = Split(fc) axis=1\n";
  const auto both = [&](const std::string& one, const std::string& other) {
    return split + "one = " + one + "(split)\nother = " + other + "(split:1)\nout = Concat(one, other) axis=1\n";
  };
  require_range_of_fc(both("Relu", "Relu"), 0, kInfinity);
  require_range_of_fc(both("Tanh", "Tanh"), -4, 4);
  require_range_of_fc(both("Sigmoid", "Sigmoid"), -6, 6);
  require_range_of_fc(both("Tanh", "Sigmoid"), -6, 6);
  require_range_of_fc(both("Sigmoid", "Tanh"), -6, 6);
  REQUIRE_FALSE(range_of_fc(both("Relu", "Tanh")));
  REQUIRE_FALSE(range_of_fc(both("Relu", "Sigmoid")));
  REQUIRE_FALSE(range_of_fc(both("Tanh", "Elu")));
}

TEST_CASE("net_aware: who else reads the value sees all of it") {
  REQUIRE_FALSE(range_of_fc("gate = Sigmoid(fc)\nout = Mul(fc, gate)\n"));
  auto graph = after_linear("out = Relu(fc)\n");
  graph.outputs.push_back({.name = "raw", .value = "fc"});
  REQUIRE(telling_ranges(graph).empty());
}

TEST_CASE("net_aware: statistics are cut as Distiller cuts them") {
  const auto cut = [](const std::string& tail, double low, double high) {
    Statistics statistics;
    statistics.emplace("fc", ValueStatistics("fc", StatisticsRecord{.extremes = {low, high}, .averaged = {low, high}}));
    make_net_aware(after_linear(tail), statistics);
    const auto record = statistics.at("fc").record();
    REQUIRE(record.averaged.low == record.extremes.low);
    REQUIRE(record.averaged.high == record.extremes.high);
    return std::pair(record.extremes.low, record.extremes.high);
  };
  REQUIRE(cut("out = Relu(fc)\n", -5, 5) == std::pair(0.0, 5.0));
  REQUIRE(cut("out = Relu(fc)\n", -5, -1) == std::pair(0.0, 0.0));
  REQUIRE(cut("out = Tanh(fc)\n", -5, 5) == std::pair(-4.0, 4.0));
  REQUIRE(cut("out = Tanh(fc)\n", -3, 3) == std::pair(-3.0, 3.0));
  REQUIRE(cut("out = Sigmoid(fc)\n", -10, 4) == std::pair(-6.0, 4.0));
}

TEST_CASE("net_aware: the histogram is cut too, moments stay") {
  ValueStatistics seen("fc", {.histogram = true});
  seen.watch(at::tensor({-2.0F, -1.0F, 0.0F, 0.5F, 3.0F, 9.0F}));
  const double mean = seen.mean(), deviation = seen.standard_deviation(), absolute = seen.mean_absolute_deviation();
  seen.clip({0, 6});
  REQUIRE(seen.extremes().low == 0);
  REQUIRE(seen.extremes().high == 6);
  REQUIRE(seen.histogram().zeros() == 3);
  REQUIRE(seen.histogram().total() == 6);
  int64_t counted = 0;
  for (int64_t i = 0; i < seen.histogram().bins(); ++i) {
    counted += seen.histogram().count(i);
    if (seen.histogram().count(i) > 0) {
      REQUIRE(seen.histogram().edge(i) >= 0);
      REQUIRE(seen.histogram().edge(i) <= 6);
    }
  }
  REQUIRE(counted == 3);
  REQUIRE(seen.mean() == mean);
  REQUIRE(seen.standard_deviation() == deviation);
  REQUIRE(seen.mean_absolute_deviation() == absolute);
}

TEST_CASE("net_aware: Distiller's own cases, from its statistics of the network that is not folded") {
  const TemporaryFolder folder;
  int count = 0;
  const auto golden = nlohmann::json::parse(read_file("tests/golden/distiller_post_train_quant.json"));
  for (const auto& entry : golden.at("cases")) {
    if (entry.at("kind") != "statistics_fusion" || !entry.contains("batch_norm_output_statistics")) continue;
    INFO(entry.at("name").get<std::string>());
    const auto graph = folded_chain(entry);
    const auto seen = record_text(entry.at("batch_norm_output_statistics"));
    const std::string reader = entry.contains("activation") ? "act" : "split";
    write_file(folder / "stats.yaml",
               "layer: {output: {min: -99, max: 99, avg_min: -9, avg_max: 9, mean: 0, std: 7}}\nbn: {output: " + seen +
                   "}\n" + reader + ": {inputs: {0: " + seen + "}}\n");
    auto statistics = read_statistics(folder / "stats.yaml", graph, {"layer"});
    make_net_aware(graph, statistics);
    const auto record = statistics.at("layer").record();
    const auto& expected = entry.contains("activation") ? entry.at("expected_convolution_output_statistics")
                                                        : entry.at("expected_linear_output_statistics");
    REQUIRE(record.extremes.low == expected.at("min").get<double>());
    REQUIRE(record.extremes.high == expected.at("max").get<double>());
    REQUIRE(record.averaged.low == expected.at("avg_min").get<double>());
    REQUIRE(record.averaged.high == expected.at("avg_max").get<double>());
    REQUIRE(record.mean == expected.at("mean").get<double>());
    REQUIRE(record.standard_deviation == expected.at("std").get<double>());
    ++count;
  }
  REQUIRE(count == 18);
}

TEST_CASE("net_aware: pooling, batch-norm and linear layers see all of a value") {
  REQUIRE_FALSE(range_of_fc("wide = Unsqueeze(fc) axes=[1]\nout = GlobalAveragePool(wide)\n"));
  REQUIRE_FALSE(range_of_fc("out = Softmax(fc)\n"));
}
