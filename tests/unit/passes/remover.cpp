#include "passes/remover.h"

#include "graph/text_form.h"

#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::passes;

namespace {

/// Two convolutions with a batch-norm between; filter 1 of the first is zero, and channel 0 of the second.
Graph two_convolutions() {
  auto graph = parse_graph(R"(graph g(input: float[N,1,4,4]) -> (output = b)
parameter a.weight: float[4,1,1,1]
parameter bn.weight: float[4]
parameter bn.bias: float[4]
parameter bn.running_mean: float[4] fixed
parameter bn.running_var: float[4] fixed
parameter b.weight: float[2,4,3,3]
a = Conv(input, %a.weight) kernel_shape=[1,1]
bn = BatchNormalization(a, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
relu = Relu(bn)
b = Conv(relu, %b.weight) kernel_shape=[3,3] pads=[1,1,1,1]
)");
  for (const auto& name : graph.parameter_names()) graph.assign(name, at::ones(graph.parameter(name).value.sizes()));
  graph.writable("bn.bias").fill_(3);  // the zero filter's channel is not zero behind the batch-norm
  graph.writable("a.weight").slice(0, 1, 2).zero_();
  graph.writable("b.weight").slice(1, 0, 1).zero_();
  return graph;
}

int64_t channels_after(const std::string& name, const std::string& arguments = "{}") {
  auto graph = two_convolutions();
  const auto pass = passes::passes().make(name);
  Settings settings;
  pass->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  passes::run(*pass, name, graph);
  return graph.parameter("a.weight").value.size(0);
}

}  // namespace

TEST_CASE("removers: Distiller's names and functions", "[passes]") {
  REQUIRE(channels_after("ChannelRemover") == 3);
  REQUIRE(channels_after("FilterRemover") == 2);
  REQUIRE(channels_after("StructureRemover") == 2);
  REQUIRE(channels_after("FilterRemover",
                         "{thinning_func_str: remove_channels, arch: resnet20_cifar, dataset: cifar10}") == 3);
  REQUIRE(channels_after("ChannelRemover", "thinning_func_str: contract_model") == 2);
}
