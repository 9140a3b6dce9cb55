#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

/// `token` repeated to [batch, 1, 4] as "repeated", read off the shape of x [batch, 3, 4].
OnnxModel repeated_token() {
  OnnxModel model;
  model.input("x", {-1, 3, 4}).weight("token", {1, 1, 4}).output("y");
  model.integers("first", {0}).integers("rest", {1, 4});
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "first"}, {"n"});
  model.node("Concat", {"n", "rest"}, {"sizes"})
      .with("axis", 0)
      .node("Expand", {"token", "sizes"}, {"repeated"}, "spread");
  return model;
}

std::string imported_token(const OnnxModel& model) {
  return print_graph(io::import_onnx_bytes(model.bytes(), "model.onnx"));
}

}  // namespace

TEST_CASE("expand_batch: a class token is repeated by a node of its own and stays a parameter", "[io]") {
  auto model = repeated_token();
  model.node("Concat", {"repeated", "x"}, {"y"}, "joined").with("axis", 1);
  REQUIRE(imported_token(model) == R"(graph model(x: float[N,3,4]) -> (y = joined)
parameter token: float[1,1,4]
spread = ExpandBatch(%token, x)
joined = Concat(spread, x) axis=1
)");
}

TEST_CASE("expand_batch: where broadcasting does the same, nothing is repeated", "[io]") {
  auto model = repeated_token();
  model.node("Add", {"x", "repeated"}, {"y"}, "sum");
  REQUIRE(imported_token(model) == R"(graph model(x: float[N,3,4]) -> (y = sum)
parameter token: float[1,1,4]
sum = Add(x, %token)
)");
}

TEST_CASE("expand_batch: export spells it as ONNX does and import finds it again", "[io]") {
  auto model = repeated_token();
  model.node("Concat", {"repeated", "x"}, {"y"}).with("axis", 1);
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  for (const int opset : {13, 17, 21}) {
    const auto bytes = io::export_onnx_bytes(graph, {.opset = opset});
    REQUIRE(print_graph(io::import_onnx_bytes(bytes, "again.onnx")) == print_graph(graph));
    onnx::ModelProto file;
    REQUIRE(file.ParseFromString(bytes));
    for (const auto& node : file.graph().node()) REQUIRE(node.domain().empty());
  }
}

TEST_CASE("expand_batch: numbers that differ from sample to sample are refused", "[io]") {
  OnnxModel model;
  model.input("x", {-1, 3}).output("y").integer("zero", 0).integer("one", 1).integers("column", {1});
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"}).node("Range", {"zero", "n", "one"}, {"r"});
  model.node("Unsqueeze", {"r", "column"}, {"u"})
      .node("Cast", {"u"}, {"f"})
      .with("to", 1)
      .node("Add", {"x", "f"}, {"y"});
  test::require_error([&] { imported_token(model); }, "a number computed from the batch size, as data");
}
