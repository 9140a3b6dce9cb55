#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

std::string imported_stack(const OnnxModel& model) {
  return print_graph(io::import_onnx_bytes(model.bytes(), "model.onnx"));
}

/// relu(x) and sigmoid(x) of x [N,3,4] side by side on axis 2 of "stack" [N,3,2,4].
OnnxModel stacked() {
  OnnxModel model;
  model.input("x", {-1, 3, 4})
      .output("y")
      .integers("two", {2})
      .integer("last", -1)
      .integers("from", {1})
      .integers("to", {2});
  model.node("Relu", {"x"}, {"a"}, "a").node("Sigmoid", {"x"}, {"b"}, "b");
  model.node("Unsqueeze", {"a", "two"}, {"a1"}).node("Unsqueeze", {"b", "two"}, {"b1"});
  model.node("Concat", {"a1", "b1"}, {"stack"}).with("axis", 2);
  return model;
}

constexpr const char* kBegin = "graph model(x: float[N,3,4]) -> (";

}  // namespace

TEST_CASE("join_stacks: one part taken out of a stack is that value", "[io]") {
  auto model = stacked();
  model.node("Gather", {"stack", "last"}, {"g"}).with("axis", 2).node("Tanh", {"g"}, {"y"}, "y");
  REQUIRE(imported_stack(model) == std::string(kBegin) + "y)\nb = Sigmoid(x)\ny = Tanh(b)\n");
}

TEST_CASE("join_stacks: a range of one part, squeezed, is that value", "[io]") {
  auto model = stacked();
  model.node("Slice", {"stack", "from", "to", "two"}, {"s"})
      .node("Squeeze", {"s", "two"}, {"q"})
      .node("Tanh", {"q"}, {"y"}, "y");
  REQUIRE(imported_stack(model) == std::string(kBegin) + "y)\nb = Sigmoid(x)\ny = Tanh(b)\n");
}

TEST_CASE("join_stacks: a stack seen as one axis is the parts one behind the other", "[io]") {
  auto model = stacked();
  model.integers("shape", {0, 3, 8}).node("Reshape", {"stack", "shape"}, {"y"}, "y");
  REQUIRE(imported_stack(model) == std::string(kBegin) + "y)\na = Relu(x)\nb = Sigmoid(x)\ny = Concat(a, b) axis=2\n");
}

TEST_CASE("join_stacks: a transposed stack is followed, another order is left alone", "[io]") {
  auto model = stacked();  // [N,3,2,4] -> [N,2,3,4] -> [N,6,4]: parts behind each other along axis 1
  model.node("Transpose", {"stack"}, {"t"}).with_list("perm", {0, 2, 1, 3});
  model.integers("shape", {0, 6, 4}).node("Reshape", {"t", "shape"}, {"y"}, "y");
  REQUIRE(imported_stack(model) == std::string(kBegin) + "y)\na = Relu(x)\nb = Sigmoid(x)\ny = Concat(a, b) axis=1\n");
  auto other = stacked();  // [N,3,2,4] -> [N,3,4,2]: parts interleave
  other.node("Transpose", {"stack"}, {"t"}).with_list("perm", {0, 1, 3, 2});
  other.integers("shape", {0, 3, 8}).node("Reshape", {"t", "shape"}, {"y"}, "y");
  REQUIRE(imported_stack(other).find("y = Reshape(transpose) shape=[0,3,8]") != std::string::npos);
}
