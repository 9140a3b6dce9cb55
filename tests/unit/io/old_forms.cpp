#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

std::string modern_text(const OnnxModel& model) {
  return print_graph(io::import_onnx_bytes(model.bytes(), "model.onnx"));
}

}  // namespace

TEST_CASE("old forms: a softmax over several axes, as before opset 13, works on rows") {
  OnnxModel model(11);
  model.input("x", {-1, 5, 3}).output("y").node("Softmax", {"x"}, {"y"}, "soft");
  const auto text = modern_text(model);
  REQUIRE(text.find("Flatten(x)\n") != std::string::npos);
  REQUIRE(text.find("= Softmax(") != std::string::npos);
  REQUIRE(text.find("shape=[0,5,3]") != std::string::npos);
}

TEST_CASE("old forms: one scale per group, as before opset 21, becomes one per channel") {
  OnnxModel model(18);
  model.input("x", {-1, 4, 2, 2}).floats("gn.weight", {2}, {1, 2}).floats("gn.bias", {2}, {0, 1}).output("y");
  model.node("GroupNormalization", {"x", "gn.weight", "gn.bias"}, {"y"}, "gn").with("num_groups", 2);
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  REQUIRE(graph.node_count() == 1);
  for (const auto& parameter : graph.parameters()) REQUIRE(parameter.value.sizes() == at::IntArrayRef({4}));
}

TEST_CASE("old forms: Scatter is ScatterElements") {
  OnnxModel model(9);
  model.input("x", {-1, 3}).integers("at", {1}).weight("new", {1}).output("y");
  model.graph().mutable_initializer(0)->add_dims(1);
  model.graph().mutable_initializer(1)->add_dims(1);
  model.node("Scatter", {"x", "at", "new"}, {"y"}).with("axis", 1);
  REQUIRE(modern_text(model).find("ScatterElements(x") != std::string::npos);
}

TEST_CASE("old forms: CastLike of a known type is a Cast") {
  OnnxModel model;
  model.input("x", {-1, 3}).integers("like", {1}).output("y").node("CastLike", {"x", "like"}, {"y"}, "cast");
  REQUIRE(modern_text(model).find("Cast(x) to=7") != std::string::npos);
}
