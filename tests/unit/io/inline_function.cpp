#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

std::string text_with_functions(const OnnxModel& model) {
  return print_graph(io::import_onnx_bytes(model.bytes(), "model.onnx"));
}

/// y = Scaled(x), a function of the domain "mine": LeakyRelu with the call's slope, then a node of another function.
OnnxModel with_functions() {
  OnnxModel model;
  model.input("x", {-1, 3}).output("y").node("Scaled", {"x"}, {"y"}, "scaled").with_number("slope", 0.5f);
  model.graph().mutable_node(0)->set_domain("mine");
  auto& scaled = *model.proto.add_functions();
  scaled.set_name("Scaled");
  scaled.set_domain("mine");
  scaled.add_input("a");
  scaled.add_output("b");
  scaled.add_attribute("slope");
  auto& leaky = *scaled.add_node();
  leaky.set_op_type("LeakyRelu");
  leaky.add_input("a");
  leaky.add_output("middle");
  auto& slope = *leaky.add_attribute();
  slope.set_name("alpha");
  slope.set_type(onnx::AttributeProto::FLOAT);
  slope.set_ref_attr_name("slope");
  auto& call = *scaled.add_node();
  call.set_op_type("Bounded");
  call.set_domain("mine");
  call.add_input("middle");
  call.add_output("b");
  auto& bounded = *model.proto.add_functions();
  bounded.set_name("Bounded");
  bounded.set_domain("mine");
  bounded.add_input("in");
  bounded.add_output("out");
  auto& sigmoid = *bounded.add_node();
  sigmoid.set_op_type("Sigmoid");
  sigmoid.add_input("in");
  sigmoid.add_output("out");
  return model;
}

}  // namespace

TEST_CASE("functions: the model's own are put in the place of their calls, with the call's attributes") {
  const auto text = text_with_functions(with_functions());
  REQUIRE(text.find("LeakyRelu(x) alpha=0.5\n") != std::string::npos);
  REQUIRE(text.find("Sigmoid(") != std::string::npos);
}

TEST_CASE("functions: an attribute that the call leaves out is the operator's default") {
  auto model = with_functions();
  model.graph().mutable_node(0)->clear_attribute();
  REQUIRE(text_with_functions(model).find("LeakyRelu(x)\n") != std::string::npos);
}

TEST_CASE("functions: one that calls itself is refused") {
  auto model = with_functions();
  model.proto.mutable_functions(1)->mutable_node(0)->set_op_type("Scaled");
  model.proto.mutable_functions(1)->mutable_node(0)->set_domain("mine");
  test::require_error([&] { text_with_functions(model); }, "the function 'Scaled' calls itself");
}

TEST_CASE("functions: a call with too many inputs is refused") {
  auto model = with_functions();
  model.graph().mutable_node(0)->add_input("x");
  test::require_error([&] { text_with_functions(model); }, "2 inputs and 1 outputs", "'Scaled' has 1 and 1");
}

TEST_CASE("functions: calls that double at each level end at a limit") {
  OnnxModel model;
  model.input("x", {-1, 3}).output("y").node("F0", {"x"}, {"y"});
  model.graph().mutable_node(0)->set_domain("mine");
  for (int level = 0; level < 40; ++level) {
    auto& function = *model.proto.add_functions();
    function.set_name("F" + std::to_string(level));
    function.set_domain("mine");
    function.add_input("a");
    function.add_output("c");
    for (const auto& [from, to] : {std::pair("a", "b"), std::pair("b", "c")}) {
      auto& node = *function.add_node();
      node.set_op_type(level == 39 ? "Relu" : "F" + std::to_string(level + 1));
      if (level < 39) node.set_domain("mine");
      node.add_input(from);
      node.add_output(to);
    }
  }
  test::require_error([&] { text_with_functions(model); }, "more than 200000 nodes");
}
