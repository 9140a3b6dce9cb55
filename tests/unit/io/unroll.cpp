#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/onnx_model.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

Graph unrolled(const OnnxModel& model) {
  return io::import_onnx_bytes(model.bytes(), "model.onnx");
}

template <class... Parts>
void unroll_fails(const OnnxModel& model, Parts... parts) {
  test::require_error([&] { unrolled(model); }, "model.onnx", parts...);
}

/// if (condition) y = Relu(x) else y = Neg(x), written as subgraphs that read x from outside.
OnnxModel choice() {
  OnnxModel then, otherwise, model;
  then.output("t").node("Relu", {"x"}, {"t"}, "relu");
  otherwise.output("e").node("Sigmoid", {"x"}, {"e"}, "sigmoid");
  model.input("x", {-1, 3}).output("y");
  model.node("If", {"condition"}, {"y"}, "choose").with_graph("then_branch", then).with_graph("else_branch", otherwise);
  return model;
}

/// The body of a loop: total = total + weight; a row of each total.
OnnxModel adding_body() {
  OnnxModel body;
  for (const auto* name : {"i", "go_on", "total"}) body.graph().add_input()->set_name(name);
  body.node("Identity", {"go_on"}, {"again"}).node("Add", {"total", "weight"}, {"sum"}, "add");
  body.node("Identity", {"sum"}, {"row"}).output("again").output("sum").output("row");
  return body;
}

OnnxModel loop(int64_t count, const OnnxModel& body) {
  OnnxModel model;
  model.input("x", {-1, 3}).integer("count", count).weight("weight", {3}).output("last").output("rows");
  model.node("Loop", {"count", "", "x"}, {"last", "rows"}, "loop").with_graph("body", body);
  return model;
}

}  // namespace

TEST_CASE("unroll: the branch of a constant condition takes the place of the If") {
  auto model = choice();
  model.integer("condition", 1);
  REQUIRE(print_graph(unrolled(model)).find("= Relu(x)") != std::string::npos);
  auto other = choice();
  other.integer("condition", 0);
  const auto text = print_graph(unrolled(other));
  REQUIRE(text.find("= Sigmoid(x)") != std::string::npos);
  REQUIRE(text.find("Relu") == std::string::npos);
}

TEST_CASE("unroll: a condition that follows from shapes is known") {
  auto model = choice();
  model.node("Shape", {"x"}, {"sizes"}).integer("one", 1).integer("three", 3);
  model.node("Gather", {"sizes", "one"}, {"width"}).node("Equal", {"width", "three"}, {"condition"});
  REQUIRE(print_graph(unrolled(model)).find("= Relu(x)") != std::string::npos);
}

TEST_CASE("unroll: a condition that the network computes is refused by name") {
  auto model = choice();
  model.input("condition", {1});
  unroll_fails(model, "node 'choose' (If): the condition is computed from the network's inputs");
}

TEST_CASE("unroll: a branch may be an operator that is not supported, as long as it is not taken") {
  OnnxModel strange;
  strange.output("e").node("Strange", {"x"}, {"e"}, "odd");
  auto model = choice();
  *model.graph().mutable_node(0)->mutable_attribute(1)->mutable_g() = strange.proto.graph();
  auto taken = model;
  model.integer("condition", 1);
  unrolled(model);
  taken.integer("condition", 0);
  unroll_fails(taken, "'Strange' is not supported");
}

TEST_CASE("unroll: a loop runs its body as often as its count says, and stacks its rows") {
  const auto graph = unrolled(loop(3, adding_body()));
  int adds = 0;
  for (const auto& node : graph.nodes()) adds += node.op == "Add";
  REQUIRE(adds == 3);
  REQUIRE(graph.parameter_names() == std::vector<std::string>{"weight"});
  const std::vector<at::Tensor> x{test::numbers({1, 2, 3}).reshape({1, 3}).to(at::kFloat)};
  const auto made = exec::Plan(graph).run(x);
  REQUIRE(made[0].allclose(test::numbers({1.3, 2.6, 3.9}).reshape({1, 3}).to(at::kFloat)));
  REQUIRE(made[1].sizes() == at::IntArrayRef({3, 1, 3}));
  REQUIRE(made[1].select(0, 1).allclose(test::numbers({1.2, 2.4, 3.6}).reshape({1, 3}).to(at::kFloat)));
}

TEST_CASE("unroll: a loop ends when its condition, known at import, fails") {
  auto body = adding_body();
  body.graph().mutable_node(0)->set_op_type("Less");
  body.graph().mutable_node(0)->set_input(0, "i");
  body.graph().mutable_node(0)->add_input("one");
  auto model = loop(100, body);
  model.integer("one", 1);
  int adds = 0;
  const auto graph = unrolled(model);
  for (const auto& node : graph.nodes()) adds += node.op == "Add";
  REQUIRE(adds == 2);
}

TEST_CASE("unroll: loops without end, without a run and with unknown counts are refused") {
  unroll_fails(loop(1 << 20, adding_body()), "node 'loop' (Loop) runs more than 10000 times");
  unroll_fails(loop(0, adding_body()), "runs no iteration", "'rows' has no elements");
  auto model = loop(1, adding_body());
  model.input("n", {}).graph().mutable_node(0)->set_input(0, "n");
  unroll_fails(model, "the number of iterations is computed from the network's inputs");
}

TEST_CASE("unroll: a subgraph that reads what nothing makes, or has too few outputs, is refused") {
  auto body = adding_body();
  body.graph().mutable_node(1)->set_input(1, "ghost");
  unroll_fails(loop(1, body), "'ghost', which nothing makes");
  auto short_body = adding_body();
  short_body.graph().mutable_output()->RemoveLast();
  unroll_fails(loop(1, short_body), "3 inputs and 2 outputs, where 3 and 3 are needed");
}

TEST_CASE("unroll: what a loop computes from its counter alone is a constant") {
  OnnxModel body, model;
  for (const auto* name : {"i", "go_on", "total"}) body.graph().add_input()->set_name(name);
  body.node("Add", {"total", "i"}, {"sum"}).node("Identity", {"go_on"}, {"again"}).output("again").output("sum");
  model.integer("count", 5).integers("start", {0}).input("x", {-1, 5}).output("y");
  model.node("Loop", {"count", "", "start"}, {"ten"}, "loop").with_graph("body", body);
  model.node("Cast", {"ten"}, {"number"}).with("to", 1).node("Mul", {"x", "number"}, {"y"});
  const auto graph = unrolled(model);
  REQUIRE(graph.node_count() == 1);
  const auto made =
      exec::Plan(graph).run(std::vector<at::Tensor>{test::numbers({1, 1, 1, 1, 1}).reshape({1, 5}).to(at::kFloat)});
  REQUIRE(made[0].allclose(test::numbers({10, 10, 10, 10, 10}).reshape({1, 5}).to(at::kFloat)));
}
