#include "early_exit/attach.h"

#include "io/onnx.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "support/check_error.h"
#include "support/same_output.h"
#include "support/temporary_folder.h"
#include "unit/early_exit/networks.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::early_exit;
using namespace compress::early_exit::fixtures;
using compress::test::require_error;

namespace {

std::vector<std::string> output_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& output : graph.outputs) names.push_back(output.name);
  return names;
}

bool same_exits(const Graph& a, const Graph& b) {
  return a.metadata.at("early_exits") == b.metadata.at("early_exits") && !exits_of(a).empty();
}

}  // namespace

TEST_CASE("attach: a branch is pooling, flatten and a classifier of as many classes", "[early_exit]") {
  auto graph = small_network();
  attach(graph, "early: {value: relu1, loss_weight: 0.3, threshold: 0.5}");
  ops::verify(graph);
  REQUIRE(output_names(graph) == std::vector<std::string>{"output", "exits.early"});
  REQUIRE(graph.node("exits.early.pool").op == "GlobalAveragePool");
  REQUIRE(graph.parameter("exits.early.fc.weight").value.sizes().vec() == Shape{3, 4});
  REQUIRE(graph.parameter("exits.early.fc.bias").value.sizes().vec() == Shape{3});
  REQUIRE(graph.parameter("exits.early.fc.weight").trainable);
}

TEST_CASE("attach: windows and a hidden layer by option", "[early_exit]") {
  auto graph = small_network();
  attach(graph, "early: {value: relu1, kernel: 3, hidden: 5, loss_weight: 0.3, threshold: 0.5}");
  ops::verify(graph);
  // 8x8 by windows of 3 without overlap: 2x2 of 4 channels, as Distiller's AvgPool2d(3).
  REQUIRE(graph.parameter("exits.early.hidden.weight").value.sizes().vec() == Shape{5, 16});
  REQUIRE(graph.node("exits.early.relu").op == "Relu");
  REQUIRE(graph.parameter("exits.early.fc.weight").value.sizes().vec() == Shape{3, 5});
}

TEST_CASE("attach: features without a map need no pooling", "[early_exit]") {
  auto graph = small_network();
  attach(graph, "early: {value: flat, loss_weight: 0.3, threshold: 0.5}");
  REQUIRE_FALSE(graph.find_node("exits.early.pool"));
  REQUIRE(graph.node("exits.early.fc").inputs[0] == "flat");
}

TEST_CASE("attach: weights follow from seed and name, the network's own output stays", "[early_exit]") {
  const auto weight = [](uint64_t seed) {
    auto graph = small_network();
    attach(graph, "early: {value: relu1, loss_weight: 0.3, threshold: 0.5}", seed);
    return graph.parameter("exits.early.fc.weight").value;
  };
  REQUIRE(weight(1).equal(weight(1)));
  REQUIRE_FALSE(weight(1).equal(weight(2)));
  REQUIRE(weight(1).abs().max().item<double>() <= 0.5);  // 1 / sqrt(4)
  REQUIRE(weight(1).abs().max().item<double>() > 0.1);
  const auto plain = small_network(), with_exit = network_with_exit();
  const auto x = compress::test::wild({2, 1, 8, 8}).to(at::kFloat);
  REQUIRE(compress::test::output_of(plain, x).equal(compress::test::output_of(with_exit, x)));
}

TEST_CASE("attach: the cheapest exit is asked first", "[early_exit]") {
  auto graph = small_network();
  attach(graph, "late: {value: relu2, loss_weight: 0.3, threshold: 0.5}\n"
                "early: {value: relu1, loss_weight: 0.3, threshold: 0.5}\n");
  const auto exits = exits_of(graph);
  REQUIRE(exits.branches.at(0).name == "early");
  REQUIRE(exits.branches.at(1).name == "late");
}

TEST_CASE("attach: an exit that the model has gets the recipe's weight and threshold", "[early_exit]") {
  auto graph = network_with_exit();
  const auto weight = graph.parameter("exits.early.fc.weight").value.clone();
  attach(graph,
         "early: {value: relu1, loss_weight: 0.2, threshold: 0.7}\n"
         "late: {value: relu2, loss_weight: 0.1, threshold: 0.5}\n",
         9);
  REQUIRE(graph.outputs.size() == 3);
  REQUIRE(graph.parameter("exits.early.fc.weight").value.equal(weight));
  REQUIRE(exits_of(graph).branches.at(0).loss_weight == 0.2);
  REQUIRE(exits_of(graph).branches.at(0).threshold == 0.7);
  require_error([&] { attach(graph, "early: {value: relu2, loss_weight: 0.2, threshold: 0.7}"); },
                "recipe.yaml:1:8: error: the model has an exit 'early' of another form, on value 'relu1'");
  require_error([&] { attach(graph, "early: {value: relu1, loss_weight: 0.95, threshold: 0.7}"); }, "add up to 1.05");
}

TEST_CASE("attach: a network's own branch becomes an exit by its output", "[early_exit]") {
  auto graph = network_with_exit();
  graph.metadata.clear();
  graph.outputs.push_back({"features", "flat"});
  const auto nodes = graph.node_count();
  attach(graph, "first: {output: exits.early, loss_weight: 0.3, threshold: 0.5}");
  REQUIRE(graph.node_count() == nodes);
  REQUIRE(graph.outputs.size() == 3);
  REQUIRE(exits_of(graph).branches.at(0).name == "first");
  REQUIRE(exits_of(graph).branches.at(0).output == "exits.early");
  attach(graph, "first: {output: exits.early, loss_weight: 0.2, threshold: 0.5}");
  REQUIRE(exits_of(graph).branches.at(0).loss_weight == 0.2);
  require_error([&] { attach(graph, "a: {output: exits.erly, loss_weight: 0.1, threshold: 0.5}"); },
                "recipe.yaml:1:13: error: exit 'a': 'small' has no branch with output 'exits.erly'",
                "did you mean 'exits.early'?");
  require_error([&] { attach(graph, "a: {output: output, loss_weight: 0.1, threshold: 0.5}"); },
                "no branch with output");
  require_error([&] { attach(graph, "a: {output: features, loss_weight: 0.1, threshold: 0.5}"); },
                "output 'features' is 6 for each sample, not one number for each of 3 classes");
}

TEST_CASE("attach: values that cannot carry an exit are refused at their place, all at once", "[early_exit]") {
  const auto refused = [](const std::string& entry) {
    return compress::test::error_text([&] {
      auto graph = small_network();
      attach(graph, "early: {" + entry + ", loss_weight: 0.1, threshold: 0.5}");
    });
  };
  const auto require_in = [](const std::string& text, const std::string& part) {
    INFO(text);
    REQUIRE(text.find(part) != std::string::npos);
  };
  require_in(refused("value: relu11"),
             "recipe.yaml:1:16: error: exit 'early' begins with value 'relu11', which no node");
  require_in(refused("value: relu11"), "did you mean 'relu1'?");
  require_in(refused("value: input"), "begins with value 'input', which no node of 'small' makes");
  require_in(refused("value: fc.weight"), "begins with value 'fc.weight', which no node of 'small' makes");
  require_in(refused("value: fc"), "exit 'early' begins with 'fc', which is the network's own output");
  require_in(refused("value: flat, kernel: 2"),
             "recipe.yaml:1:30: error: exit 'early' has a 'kernel', but value 'flat'");
  require_in(refused("value: relu2, kernel: 4"), "windows of 'kernel' 4, but value 'relu2' is a map of 3x3");
  require_error(
      [] {
        auto graph = small_network();
        attach(graph,
               "a: {value: no, loss_weight: 0.1, threshold: 0.5}\nb: {value: nor, loss_weight: 0.1, threshold: 0.5}");
      },
      "recipe.yaml:1:12: error: exit 'a'", "recipe.yaml:2:12: error: exit 'b'");
}

TEST_CASE("attach: values and networks of other shapes are refused", "[early_exit]") {
  const std::string exit = "early: {value: v, loss_weight: 0.1, threshold: 0.5}";
  const auto on = [&](const std::string& text) {
    return [&exit, text] {
      auto graph = parse_graph(text);
      attach(graph, exit);
    };
  };
  require_error(
      on("graph g(x: float[N,4]) -> (y = fc)\nparameter w: float[3,4]\nv = Shape(x)\nfc = Gemm(x, %w) transB=1\n"),
      "exit 'early' cannot begin with value 'v': it is no features for each sample");
  require_error(
      on("graph g(x: float[N,4]) -> (y = fc)\nparameter w: float[3,4]\nv = Relu(%w)\nfc = Gemm(x, %w) transB=1\n"),
      "cannot begin with value 'v'", "3x4");
  require_error(on("graph g(x: float[N,4,5]) -> (y = r)\nv = Relu(x)\nr = Relu(v)\n"),
                "early exits need a network that says one number for each class, but output 'y' is 4x5");
}

TEST_CASE("attach: exits travel in ONNX files", "[early_exit]") {
  const compress::test::TemporaryFolder folder;
  const auto graph = network_with_exit(0.3, 0.5);
  io::export_onnx(graph, folder / "a.onnx");
  const auto read = io::import_onnx(folder / "a.onnx");
  REQUIRE(output_names(read) == output_names(graph));
  REQUIRE(same_exits(read, graph));
  REQUIRE(read.parameter("exits.early.fc.weight").value.equal(graph.parameter("exits.early.fc.weight").value));
}

TEST_CASE("attach: thinning keeps the exits and what they compute", "[early_exit]") {
  auto graph = network_with_exit();
  graph.writable("conv1.weight").narrow(0, 1, 2).zero_();
  const auto before = graph.clone();
  passes::run(*passes::passes().make("thin"), "thin", graph);
  REQUIRE(graph.parameter("conv1.weight").value.size(0) == 2);
  REQUIRE(graph.parameter("exits.early.fc.weight").value.sizes().vec() == Shape{3, 2});
  REQUIRE(same_exits(graph, before));
  const auto x = compress::test::wild({2, 1, 8, 8}).to(at::kFloat);
  const auto wanted = exec::Plan(before).run({{x}}), got = exec::Plan(graph).run({{x}});
  for (size_t i = 0; i < wanted.size(); ++i) REQUIRE(wanted[i].sub(got[i]).abs().max().item<double>() < 1e-5);
}
