#include "graph/graph.h"
#include "io/onnx.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

/// Whether the batch of a file that was exported with a batch of 4 is free after import.
bool is_freed(const OnnxModel& model) {
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  return graph.inputs[0].shape[0] == kBatch;
}

OnnxModel fixed() {
  OnnxModel model;
  model.input("x", {4, 4, 6}).output("y");
  return model;
}

}  // namespace

TEST_CASE("free batch: operators that work on each sample alone leave it free") {
  REQUIRE(is_freed(fixed().node("Softmax", {"x"}, {"y"})));
  REQUIRE(is_freed(fixed().node("ReduceSum", {"x"}, {"y"}).with("keepdims", 1).node("Relu", {"x"}, {"r"})) == false);
  REQUIRE(is_freed(fixed().node("MatMul", {"x", "w"}, {"y"}).weight("w", {6, 2})));
}

TEST_CASE("free batch: operators along the first axis need the batch of the file") {
  REQUIRE_FALSE(is_freed(fixed().node("Softmax", {"x"}, {"y"}).with("axis", 0)));
  REQUIRE_FALSE(is_freed(fixed().node("CumSum", {"x", "axis"}, {"y"}).integer("axis", 0)));
  REQUIRE_FALSE(is_freed(fixed().node("Gather", {"x", "one"}, {"y"}).integers("one", {1})));
  REQUIRE_FALSE(is_freed(fixed().node("ArgMax", {"x"}, {"y"})));
  REQUIRE_FALSE(is_freed(fixed().node("Transpose", {"x"}, {"y"}).with_list("perm", {1, 0, 2})));
}

TEST_CASE("free batch: the first samples of a larger batch are not all of it") {
  auto model = fixed();
  model.integers("start", {0}).integers("end", {3}).integers("axis", {0});
  const auto graph =
      io::import_onnx_bytes(model.node("Slice", {"x", "start", "end", "axis"}, {"y"}).bytes(), "model.onnx");
  REQUIRE(graph.inputs[0].shape[0] == 4);
  REQUIRE(graph.node_count() == 1);
}

TEST_CASE("free batch: a sum over letters that are not the batch leaves it free") {
  auto model = fixed();
  model.node("Einsum", {"x", "x"}, {"y"});
  auto& equation = *model.graph().mutable_node(0)->add_attribute();
  equation.set_name("equation");
  equation.set_type(onnx::AttributeProto::STRING);
  equation.set_s("bij,bkj->bik");
  REQUIRE(is_freed(model));
  equation.set_s("bij,bkj->ik");
  REQUIRE_FALSE(is_freed(model));
}
