#include "graph/verify.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::require_error;

namespace {

Graph small() {
  return parse_graph("graph g(x: float[N,4]) -> (b)\nparameter w: float[4,4]\na = MatMul(x, %w)\nb = Relu(a)\n");
}

}  // namespace

TEST_CASE("verify: a graph that keeps the laws passes") {
  verify_structure(small());
}

TEST_CASE("verify: a value must be made before it is read") {
  Graph graph = small();
  graph.node("a").inputs[0] = "b";
  require_error([&] { verify_structure(graph); }, "node 'a' reads 'b' before it is made");
  graph.node("a").inputs[0] = "xx";
  require_error([&] { verify_structure(graph); }, "node 'a' reads 'xx', which nothing makes");
}

TEST_CASE("verify: a mask has its parameter's shape") {
  Graph graph = small();
  graph.parameter("w").mask = graph.parameter("w").value.narrow(0, 0, 2);
  require_error([&] { verify_structure(graph); }, "the mask of parameter 'w' is 2x4, the parameter 4x4");
  graph.parameter("w").value = at::Tensor();
  require_error([&] { verify_structure(graph); }, "parameter 'w' has no tensor");
}

TEST_CASE("verify: names are unique and nodes renamed by the graph") {
  Graph graph = small();
  graph.inputs.push_back({"w", {kBatch}});
  require_error([&] { verify_structure(graph); }, "the name 'w' is defined twice");
  Graph renamed = small();
  renamed.node("b").name = "c";
  require_error([&] { verify_structure(renamed); }, "node 'c' was renamed without rename_node");
}

TEST_CASE("verify: outputs exist and nodes make something") {
  Graph graph = small();
  graph.outputs[0].value = "gone";
  require_error([&] { verify_structure(graph); }, "output 'b' is 'gone', which nothing makes");
  graph.node("b").outputs = 0;
  require_error([&] { verify_structure(graph); }, "node 'b' makes nothing");
}
