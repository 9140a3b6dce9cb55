// Distiller's own tests of setting scales and zero points (the kind set_quantisation_parameters of
// tests/golden/distiller_post_train_quant.json).
#include "core/file.h"
#include "exec/plan.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"

#include <ATen/TensorOperators.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <functional>

using namespace compress;
using namespace compress::test;
using nlohmann::json;

namespace {

/// Calls it with each case of the kind; returns how many they are.
int each_case(const std::function<void(const json&)>& body) {
  const auto golden = json::parse(read_file("tests/golden/distiller_post_train_quant.json"));
  int count = 0;
  for (const auto& entry : golden.at("cases")) {
    if (entry.at("kind") != "set_quantisation_parameters") continue;
    INFO(entry.at("name").get<std::string>());
    body(entry);
    ++count;
  }
  return count;
}

/// Distiller's name of a parameter ("act1.output_scale", "linear.w_zero_point") in the graph.
std::string graph_name(const std::string& name) {
  const auto dot = name.find('.'), underscore = name.find('_', dot);
  const auto* of_weight = name.substr(dot + 1).starts_with("w_") ? ".weight" : "";
  return name.substr(0, dot) + of_weight + ".quantizer." + name.substr(underscore + 1);
}

/// Distiller's scale is the reciprocal of ours, its zero point has the other sign.
double our_number(const std::string& name, double distillers) {
  return name.ends_with("_scale") ? 1 / distillers : -distillers;
}

double number_of(const Graph& graph, const std::string& name) {
  return graph.parameter(graph_name(name)).value.item<double>();
}

/// A linear layer with batch-norm, half of whose output goes through each of the two activation functions.
Graph two_branches(const std::string& other) {
  const std::string op = other == "relu" ? "Relu" : other == "tanh" ? "Tanh" : "Sigmoid";
  return filled_graph("graph net(input: float[N,10]) -> (output = sum)\nparameter linear.weight: float[40,10]\n"
                      "parameter bn.weight: float[40]\nparameter bn.bias: float[40]\nparameter bn.mean: float[40]\n"
                      "parameter bn.running_var: float[40]\n"
                      "linear = Gemm(input, %linear.weight) transB=1\nbn = BatchNormalization(linear, %bn.weight, "
                      "%bn.bias, %bn.mean, %bn.running_var)\n"
                      "split, split:1 = Split(bn) axis=1\nact1 = Relu(split)\nact2 = " +
                      op + "(split:1)\nsum = Add(act1, act2)\n");
}

}  // namespace

TEST_CASE("Distiller's post-training cases: scales and zero points can be set, one by one, and hold at once") {
  const int count = each_case([](const json& entry) {
    if (!entry.contains("chain")) return;
    const auto branches = entry.at("chain")[3].get<std::string>();
    auto graph = two_branches(branches.substr(branches.rfind(' ') + 1));
    const TemporaryFolder folder;
    const std::string seen = "{min: -5, max: 5, avg_min: -3, avg_max: 3, mean: 0, std: 0.5}";
    std::string statistics = "linear:\n  inputs:\n    0: " + seen + "\n  output: " + seen + "\n";
    for (const auto* layer : {"act1", "act2", "sum"})
      statistics += std::string(layer) + ":\n  inputs:\n    0: " + seen + "\n  output: " + seen + "\n";
    write_file(folder / "stats.yaml", statistics);
    quantize(graph, "PostTrainLinearQuantizer",
             "mode: SYMMETRIC\nmodel_activation_stats: " + (folder / "stats.yaml").string());
    const auto names = entry.at("expected_parameter_names").get<std::vector<std::string>>();
    for (const auto& name : names) REQUIRE(graph.find_parameter(graph_name(name)) != nullptr);
    const auto& initial = entry.at("derived_initial_linear_output");
    REQUIRE(number_of(graph, "linear.output_scale") == Approx(initial.at("onnx_scale").get<double>()));
    REQUIRE(number_of(graph, "linear.output_zero_point") == initial.at("onnx_zero_point").get<double>());
    for (const auto& step : entry.at("steps")) {
      const auto before = graph.clone();
      for (const auto& [name, value] : step.at("set").items())
        graph.assign(graph_name(name), at::scalar_tensor(our_number(name, value), at::kFloat));
      for (const auto& name : names) {
        if (step.at("expected").contains(name))
          REQUIRE(number_of(graph, name) == Approx(our_number(name, step.at("expected").at(name))));
        else
          REQUIRE(number_of(graph, name) == number_of(before, name));
      }
      at::Tensor rounded;
      const exec::Plan plan(graph,
                            {.observe = {"linear.quantizer"},
                             .observer = [&](std::string_view, const at::Tensor& value) { rounded = value.clone(); }});
      plan.run(std::vector{random_tensor({6, 10}, 5)});
      const auto integers = rounded.div(number_of(graph, "linear.output_scale"));
      REQUIRE(integers.sub(integers.round()).abs().max().item<double>() < 1e-3);
      REQUIRE(integers.abs().max().item<double>() > 0);
    }
  });
  REQUIRE(count == 4);
}

TEST_CASE("Distiller's post-training cases: scales of an embedding and within a recurrent cell can be set") {
  each_case([](const json& entry) {
    if (entry.contains("chain")) return;
    auto graph = filled_graph(R"(graph net(word: int64[N], h: float[N,8], c: float[N,8]) -> (output = hidden)
parameter embedding.weight: float[41,20]
parameter gates.weight: float[32,28]
embedding = Gather(%embedding.weight, word) axis=0
joined = Concat(embedding, h) axis=1
gates = Gemm(joined, %gates.weight) transB=1
split, split:1, split:2, split:3 = Split(gates) axis=1
act_i = Sigmoid(split)
act_f = Sigmoid(split:1)
act_g = Tanh(split:2)
act_o = Sigmoid(split:3)
kept = Mul(act_f, c)
fresh = Mul(act_i, act_g)
cell = Add(kept, fresh)
bent = Tanh(cell)
hidden = Mul(act_o, bent)
)");
    const TemporaryFolder folder;
    const std::string seen = "{min: -5, max: 5, avg_min: -3, avg_max: 3, mean: 0, std: 0.5}";
    std::string statistics;
    for (const Node& node : graph.nodes())
      statistics += node.name + ":\n  inputs: {0: " + seen + ", 1: " + seen + "}\n  output: " + seen + "\n";
    write_file(folder / "stats.yaml", statistics);
    quantize(graph, "PostTrainLinearQuantizer",
             "mode: SYMMETRIC\nmodel_activation_stats: " + (folder / "stats.yaml").string());
    for (const auto& [name, value] : entry.at("set").items()) {
      const auto of_cell = name.find("cells.0.");
      const auto own = graph_name(of_cell == std::string::npos ? name : name.substr(of_cell + 8));
      INFO(own);
      REQUIRE(graph.find_parameter(own) != nullptr);
      graph.assign(own, at::scalar_tensor(our_number(name, value), at::kFloat));
      REQUIRE(graph.parameter(own).value.item<double>() == Approx(our_number(name, entry.at("expected").at(name))));
    }
  });
}
