#include "report/module_tree.h"

#include "graph/text_form.h"

#include <catch2/catch.hpp>

using namespace compress;
using report::module_path;

using Parts = std::vector<std::string>;

TEST_CASE("module tree: dotted names and PyTorch's scopes tell the modules") {
  REQUIRE(module_path("layer1.0.conv1") == Parts{"layer1", "0", "conv1"});
  REQUIRE(module_path("/layer1/layer1.0/conv1/Conv") == Parts{"layer1", "0", "conv1", "Conv"});
  REQUIRE(module_path("/relu/Relu_1") == Parts{"relu", "Relu_1"});
  REQUIRE(module_path("Conv_3") == Parts{"Conv_3"});
  REQUIRE(module_path("a/b.c") == Parts{"a/b", "c"});
  REQUIRE(module_path("...") == Parts{"..."});
}

TEST_CASE("module tree: nodes are leaves in the graph's order, quantisers of weights belong to their layers") {
  const Graph graph = parse_graph(R"(graph g(x: float[N,4]) -> (b.act)
parameter b.fc.weight: float[4,4]
parameter scale: float[1] fixed
parameter zero: int8[1] fixed
a = Relu(x)
b.fc.weight.quantizer = QuantizeLinear(%b.fc.weight, %scale, %zero)
b.fc.weight.real = DequantizeLinear(b.fc.weight.quantizer, %scale, %zero)
b.fc = Gemm(a, b.fc.weight.real) transB=1
b.act = Relu(b.fc)
b.act.next = Relu(b.act)
)");
  const auto root = report::module_tree(graph);
  REQUIRE(root.nodes().size() == 4);
  REQUIRE(root.children.size() == 2);
  const auto& b = root.children[1];
  REQUIRE(b.path == "b");
  REQUIRE(b.node == nullptr);
  REQUIRE(b.nodes().size() == 3);
  REQUIRE(b.children[0].node == graph.find_node("b.fc"));
  REQUIRE(b.children[1].node == graph.find_node("b.act"));
  REQUIRE(b.children[1].children[0].path == "b.act.next");
}
