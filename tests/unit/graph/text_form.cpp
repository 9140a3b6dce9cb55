#include "graph/text_form.h"

#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

const char* const kText = R"(graph lenet5(input: float[N,1,28,28], "odd name": int64[]) -> (output = fc, a:1)
metadata normalize = "mean=\"0.1\"\nstd"
parameter conv1.weight: float[20,1,5,5]
parameter conv1.mean: double[20] fixed
parameter fc.weight: float[10,20] masked
conv1 = Conv(input, %conv1.weight, _) kernel_shape=[5,5] pads=[0,0,0,0]
/layer.0/act = Clip(conv1) max=6.0 min=-inf
a, a:1 = Split(/layer.0/act) axis=-1 empty=[] none=[]:numbers split=[0.5,1e-07] words=["x","y z"]
fc = Gemm(a, %fc.weight) mode="a \\ b"
)";

void parse_error(const std::string& body, const std::string& part) {
  require_error([&] { parse_graph("graph g(x: float[N,4]) -> ()\n" + body, "g.graph"); }, part);
}

}  // namespace

TEST_CASE("text form: print, parse and print again give the same text") {
  REQUIRE(print_graph(parse_graph(kText)) == kText);
}

TEST_CASE("text form: comments, blank lines and spaces do not matter") {
  const Graph graph =
      parse_graph("\n# a comment\n graph g( x : float[ N , 4 ] )->( y=a )  # here too\n\n  a=Relu( x )  k = 1\n");
  REQUIRE(print_graph(graph) == "graph g(x: float[N,4]) -> (y = a)\na = Relu(x) k=1\n");
}

TEST_CASE("text form: parameters keep their flags") {
  const Graph graph = parse_graph(kText);
  REQUIRE_FALSE(graph.parameter("conv1.mean").trainable);
  REQUIRE(graph.parameter("fc.weight").mask.sum().item<float>() == 200);
  REQUIRE(graph.inputs[0].shape == Shape{kBatch, 1, 28, 28});
  REQUIRE_FALSE(graph.node("conv1").has_input(2));
}

TEST_CASE("text form: errors say line and column") {
  parse_error("a = Relu(y)\n", "g.graph:2:10: error: node 'a' reads 'y', which no line above makes");
  parse_error("aaaa = Relu(x)\nb = Relu(aaab)\n", "did you mean 'aaaa'?");
  parse_error("a = Conv(x, %w)\n", "g.graph:2:14: error: node 'a' reads the unknown parameter 'w'");
  parse_error("a = Relu(x\n", "g.graph:2:11: error: expected ',', found the end of the line");
  parse_error("x = Relu(x)\n", "g.graph:2:1: error: the name 'x' is defined twice");
  parse_error("a, a:2 = Split(x)\n", "output 1 of 'a' is written 'a:1', not 'a:2'");
  parse_error("a Relu(x)\n", "g.graph:2:3: error: expected '=', found 'R'");
  parse_error("parameter w: flaot[3]\n", "g.graph:2:14: error: unknown element type 'flaot'");
  parse_error("parameter w: float[N]\n", "parameter 'w' cannot have the batch as a size");
  parse_error("parameter w: float[-3]\n", "'-3' is no size");
  parse_error("parameter w: float[3] frozen\n", "a parameter is 'fixed' or 'masked', not 'frozen'");
  parse_error("metadata a = \"open\n", "this text has no closing quote");
}

TEST_CASE("text form: errors in attributes say line and column") {
  parse_error("a = Relu(x) k=one\n", "g.graph:2:15: error: 'one' is no number; text stands in double quotes");
  parse_error("a = Relu(x) k=1 k=2\n", "attribute 'k' is given twice");
  parse_error("a = Relu(x) k=[1,\"b\"]\n", "a list holds either numbers or texts, not both");
  parse_error("a = Relu(x) k=[[1]]\n", "a list holds numbers or texts");
  parse_error("a = Relu(x) k=[]:what\n", "an empty list is of 'numbers' or 'texts', not 'what'");
}

TEST_CASE("text form: a header that is wrong is refused") {
  require_error([] { parse_graph(""); }, "expected 'graph NAME(INPUTS) -> (OUTPUTS)', found nothing");
  require_error([] { parse_graph("net x"); }, "the text of a graph begins with 'graph NAME");
  require_error([] { parse_graph("graph g() -> (y)"); }, "output 'y' is 'y', which no line above makes");
  require_error([] { parse_graph("graph g(x: float[], x: float[]) -> ()"); }, "input 'x' is defined twice");
}
