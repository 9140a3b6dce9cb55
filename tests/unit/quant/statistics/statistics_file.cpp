#include "quant/statistics/statistics_file.h"

#include "core/file.h"
#include "quant/observer/observer.h"
#include "support/check_error.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;
using namespace compress::quant;

namespace {

const std::string kRecord = "{min: -2, max: 3, avg_min: -1.5, avg_max: 2.5, mean: 0.25, std: 0.7, b: 0.5, ";

Statistics read_text(const std::string& text, const std::vector<std::string>& values) {
  const TemporaryFolder folder;
  const auto path = folder / "stats.yaml";
  write_file(path, text);
  return read_statistics(path, filled_graph(kSkip), values);
}

Statistics watched_statistics(const at::Tensor& a, const at::Tensor& head) {
  Statistics statistics;
  for (const auto& [name, value] : {std::pair{"a_relu", a}, {"head", head}}) {
    auto& seen = statistics.emplace(name, ValueStatistics(name, {.deviation = true})).first->second;
    seen.watch(value);
  }
  return statistics;
}

void require_same_record(const StatisticsRecord& one, const StatisticsRecord& other) {
  REQUIRE(one.extremes.low == other.extremes.low);
  REQUIRE(one.extremes.high == other.extremes.high);
  REQUIRE(one.averaged.low == other.averaged.low);
  REQUIRE(one.averaged.high == other.averaged.high);
  REQUIRE(one.mean == other.mean);
  REQUIRE(one.standard_deviation == other.standard_deviation);
  REQUIRE(one.mean_absolute_deviation == other.mean_absolute_deviation);
  REQUIRE(one.shape == other.shape);
  REQUIRE(one.numbers == other.numbers);
}

}  // namespace

TEST_CASE("statistics_file: what is written is read again bit for bit") {
  const TemporaryFolder folder;
  const auto graph = filled_graph(kSkip);
  const auto statistics = watched_statistics(random_tensor({3, 4, 8, 8}, 1).abs(), random_tensor({3, 2, 8, 8}, 2));
  write_statistics(folder / "stats.yaml", graph, statistics);
  const auto read = read_statistics(folder / "stats.yaml", graph, {"a_relu", "head"});
  for (const auto& [name, seen] : statistics) require_same_record(read.at(name).record(), seen.record());
  write_statistics(folder / "again.yaml", graph, read);
  REQUIRE(read_file(folder / "stats.yaml") == read_file(folder / "again.yaml"));
}

TEST_CASE("statistics_file: a file written by us has Distiller's fields") {
  const TemporaryFolder folder;
  write_statistics(folder / "stats.yaml", filled_graph(kSkip),
                   watched_statistics(random_tensor({3, 4, 8, 8}, 1), random_tensor({3, 2, 8, 8}, 2)));
  const auto root = read_yaml(folder / "stats.yaml");
  REQUIRE(root.keys == std::vector<std::string>{"a_relu", "pooled", "both", "head"});
  const auto& record = *root.find("pooled")->find("inputs")->find("0");
  REQUIRE(record.keys ==
          std::vector<std::string>{"min", "max", "avg_min", "avg_max", "mean", "std", "b", "shape", "total_numel"});
  REQUIRE(record.find("shape")->text == "(3, 4, 8, 8)");
  REQUIRE(record.find("total_numel")->text == "768");
  REQUIRE(root.find("both")->find("inputs")->keys == std::vector<std::string>{"0"});
  REQUIRE(root.find("head")->keys == std::vector<std::string>{"output"});
}

TEST_CASE("statistics_file: Distiller's own files are read, also without std, b and total_numel") {
  const auto statistics = read_text(R"(# a comment
a:
  inputs:
    0:
      min: -2.1179039478302
      max: 2.640000104904175
      avg_min: -2.014735245704651
      avg_max: 2.4870293378829955
      mean: -0.05278884246945381
      shape: (256, 3, 8, 8)
  output:
    min: -35.76463317871094
    max: 35.28437423706055
    avg_min: -22.417767906188963
    avg_max: 22.802408027648926
    mean: -2.505303418729454e-05
    shape: (256, 4, 8, 8)
dropout: {inputs: {}, output: {}}
)",
                                    {"input", "a"});
  const auto input = statistics.at("input").record();
  REQUIRE(input.extremes.low == -2.1179039478302);
  REQUIRE(input.averaged.high == 2.4870293378829955);
  REQUIRE(input.shape == Shape{256, 3, 8, 8});
  REQUIRE_FALSE(input.standard_deviation);
  REQUIRE(statistics.at("a").extremes().high == 35.28437423706055);
  REQUIRE(statistics.at("a").mean() == -2.505303418729454e-05);
}

TEST_CASE("statistics_file: what a reader gets counts before what the layer gave") {
  const auto text = "a_relu: {output: " + kRecord +
                    "}}\npooled: {inputs: {0: {min: 0, max: 1, avg_min: 0, avg_max: 1, mean: 0.5}}}\n";
  REQUIRE(read_text(text, {"a_relu"}).at("a_relu").extremes().high == 1);
}

TEST_CASE("statistics_file: observers that go by extremes, averages and moments choose their ranges from a file") {
  const TemporaryFolder folder;
  const auto graph = filled_graph(kSkip);
  const auto statistics = watched_statistics(random_tensor({5, 4, 8, 8}, 1).abs(), random_tensor({5, 2, 8, 8}, 2));
  write_statistics(folder / "stats.yaml", graph, statistics);
  const auto read = read_statistics(folder / "stats.yaml", graph, {"a_relu", "head"});
  REQUIRE(file_observers() ==
          std::vector<std::string>{"aciq_gauss", "aciq_laplace", "averaged_min_max", "min_max", "n_std"});
  for (const auto& word : file_observers()) {
    const auto observer = observers().make(word);
    Settings settings;
    observer->declare(settings);
    settings.read(parse_yaml(word == "n_std" ? "{n: 2}" : "{}", "test.yaml"), word);
    for (const auto& [name, seen] : statistics) {
      const auto expected = observer->range(seen, {.bits = 4}), found = observer->range(read.at(name), {.bits = 4});
      REQUIRE(found.low == expected.low);
      REQUIRE(found.high == expected.high);
    }
  }
}

TEST_CASE("statistics_file: an observer that needs more than a file holds is refused, and those that work are named") {
  require_error([] { check_file_observer("mse", observers().make("mse")->needs()); },
                "observer 'mse' needs a histogram, which statistics files do not hold",
                "from a file work: aciq_gauss, aciq_laplace, averaged_min_max, min_max and n_std");
  require_error([] { check_file_observer("moving_average", observers().make("moving_average")->needs()); },
                "observer 'moving_average' needs moving averages");
  REQUIRE_NOTHROW(check_file_observer("aciq_laplace", observers().make("aciq_laplace")->needs()));
  const auto statistics = read_text("a: {output: {min: 0, max: 1, avg_min: 0, avg_max: 1, mean: 0.5}}", {"a"});
  const auto& seen = statistics.at("a");
  require_error([&] { (void)seen.histogram(); }, "the statistics of value 'a' are from a file",
                "does not tell a histogram", "leave the statistics file out");
  require_error([&] { (void)seen.standard_deviation(); }, "does not tell the standard deviation 'std'");
  require_error([&] { (void)seen.mean_absolute_deviation(); }, "does not tell the mean absolute deviation 'b'");
  require_error([&] { (void)seen.moving_average(0.9); }, "does not tell moving averages");
}

TEST_CASE("statistics_file: the statistics of another model are refused") {
  require_error(
      [] {
        read_text("features.0: {output: " + kRecord + "}}\nheads: {output: " + kRecord + "}}", {"head", "a"});
      },
      "stats.yaml:1:1", "these are statistics of another model: none of the 2 layers in", "is a node of 'skip'",
      "did you mean 'heads'?");
  require_error([] { read_text("a: {output: " + kRecord + "shape: \"(1, 64, 8, 8)\"}}", {"a"}); }, "stats.yaml:1:",
                "these are statistics of another model: the output of layer 'a' has the shape 64x8x8 a sample there, "
                "and 4x8x8 in 'skip'");
}

TEST_CASE("statistics_file: a layer that is missing is named with the nearest one there is") {
  require_error(
      [] {
        read_text("a_rel: {output: " + kRecord + "}}\nd: {output: " + kRecord + "}}", {"a_relu", "d"});
      },
      "has no statistics of value 'a_relu'", "did you mean 'a_rel'?", "'output' of the layer of its name");
  require_error(
      [] {
        read_text("d: {output: " + kRecord + "}}", {"a_relu", "head", "d"});
      },
      "has no statistics of value 'a_relu', nor of 1 more of the 3 that are wanted");
}

TEST_CASE("statistics_file: what is no statistics is refused with its place") {
  const auto refused = [](const std::string& text, const std::string& message, const std::string& place = ":1") {
    require_error([&] { read_text(text, {"a"}); }, "stats.yaml" + place, message);
  };
  refused("[1, 2]", "is no statistics file: it must be a map from layers to inputs and output, and is a list", "");
  refused("{}", "and is empty", "");
  refused("a: 3", "layer 'a' must be a map with 'inputs' and 'output', not text");
  refused("a:\n  output: {min: 1, max: 2, avg_min: 1, avg_max: 2}", "mean", ":2");
  refused("a:\n  output: {min: 1, max: 2, avg_min: 1, avg_mx: 2, mean: 1}", "avg_max", ":2");
  refused("a: {output: {min: 3, max: 2, avg_min: 1, avg_max: 2, mean: 1}}", "'min' (3) is above 'max' (2)");
  refused("a: {output: {min: 1, max: 2, avg_min: 3, avg_max: 2, mean: 1}}", "'avg_min' (3) is above 'avg_max' (2)");
  refused("a: {output: {min: 1, max: .inf, avg_min: 1, avg_max: 2, mean: 1}}", "'max' must be a number, not .inf");
  refused("a: {output: " + kRecord + "shape: (1; 2)}}", "a size in 'shape'");
  require_error([] { read_statistics("/nowhere/stats.yaml", filled_graph(kSkip), {"a"}); }, "/nowhere/stats.yaml");
}
