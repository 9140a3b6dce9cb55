#include "io/recurrent.h"

#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/onnx_model.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

/// y and the last states of ONNX's LSTM over x [7, N, 3] made from [N, 7, 3]; 4 hidden units.
OnnxModel lstm(const std::string& direction, std::vector<std::string> further = {}, int64_t directions = 1) {
  OnnxModel model;
  model.input("x", {-1, 7, 3}).output("y").output("h");
  model.weight("net.W", {directions, 16, 3}).weight("net.R", {directions, 16, 4}).weight("net.B", {directions, 32});
  model.node("Transpose", {"x"}, {"t"}).with_list("perm", {1, 0, 2});
  std::vector<std::string> inputs{"t", "net.W", "net.R", "net.B"};
  inputs.insert(inputs.end(), further.begin(), further.end());
  model.node("LSTM", inputs, {"Y", "H"}).with("hidden_size", 4).with_text("direction", direction);
  model.node("Transpose", {"Y"}, {"y"}).with_list("perm", {2, 0, 1, 3});
  model.node("Transpose", {"H"}, {"h"}).with_list("perm", {1, 0, 2});
  return model;
}

Graph import(const OnnxModel& model) {
  return io::import_onnx_bytes(model.bytes(), "model.onnx");
}

std::vector<at::Tensor> outputs_of(const Graph& graph) {
  return exec::Plan(graph).run(std::vector{test::wild({2, 7, 3}).to(at::kFloat)});
}

void require_round_trip(const Graph& graph) {
  const auto again = io::import_onnx_bytes(io::export_onnx_bytes(graph), "again.onnx");
  REQUIRE(print_graph(again) == print_graph(graph));
  const auto before = outputs_of(graph), after = outputs_of(again);
  for (size_t k = 0; k < before.size(); ++k) test::require_close(after[k], before[k], 1e-6);
}

}  // namespace

TEST_CASE("recurrent: gates change their order there and back", "[io]") {
  for (const int64_t gates : {4, 3, 1}) {
    const auto rows = test::wild({gates * 2, 3});
    REQUIRE(io::gates_to_onnx(io::gates_from_onnx(rows, gates), gates).equal(rows));
  }
  const auto rows = at::arange(4, at::kLong);  // input, output, forget, cell -> input, forget, cell, output
  REQUIRE(io::gates_from_onnx(rows, 4).equal(test::integers({0, 2, 3, 1})));
}

TEST_CASE("recurrent: two directions become two nodes with PyTorch's parameters", "[io]") {
  const auto graph = import(lstm("bidirectional", {}, 2));
  const auto text = print_graph(graph);
  INFO(text);
  REQUIRE(graph.find_parameter("net.weight_ih_l0"));
  REQUIRE(graph.parameter("net.bias_hh_l0_reverse").value.sizes() == at::IntArrayRef{16});
  REQUIRE(graph.node("net.l0_reverse").attributes.text("direction", "") == "reverse");
  REQUIRE_FALSE(graph.node("net.l0").attributes.has("direction"));
  require_round_trip(graph);
}

TEST_CASE("recurrent: export and import again is the identity, whatever the options", "[io]") {
  require_round_trip(import(lstm("forward")));
  require_round_trip(import(lstm("reverse")));
  auto options = lstm("forward");
  auto& node = *options.graph().mutable_node(1);
  node.add_input("");  // lengths
  node.add_input("");
  node.add_input("");
  node.add_input("net.P");
  options.weight("net.P", {1, 12});
  auto& activations = *node.add_attribute();
  activations.set_name("activations");
  activations.set_type(onnx::AttributeProto::STRINGS);
  for (const auto* name : {"HardSigmoid", "Tanh", "Softsign"}) activations.add_strings(name);
  auto& clip = *node.add_attribute();
  clip.set_name("clip");
  clip.set_type(onnx::AttributeProto::FLOAT);
  clip.set_f(0.5f);
  const auto graph = import(options);
  REQUIRE(graph.node("net.l0").attributes.text("activations", "") == "HardSigmoid(0.2;0.5),Tanh,Softsign");
  REQUIRE(graph.node("net.l0").attributes.number("clip", 0) == 0.5);
  require_round_trip(graph);
}

TEST_CASE("recurrent: an initial state of zeros, as large as the batch, is none", "[io]") {
  auto model = lstm("forward", {"", "h0", "h0"});
  model.integers("first", {0}).integers("one", {1}).integers("hidden", {4});
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "first"}, {"n"});
  model.node("Concat", {"one", "n", "hidden"}, {"sizes"}).with("axis", 0).node("ConstantOfShape", {"sizes"}, {"h0"});
  const auto graph = import(model);
  REQUIRE(graph.node("net.l0").inputs.size() == 5);
  require_round_trip(graph);
}

TEST_CASE("recurrent: a learnt initial state is expanded along the batch and stays a parameter", "[io]") {
  auto model = lstm("forward", {"", "h0"});
  model.weight("net.start", {1, 1, 4}).integers("first", {0}).integers("one", {1}).integers("hidden", {4});
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "first"}, {"n"});
  model.node("Concat", {"one", "n", "hidden"}, {"sizes"})
      .with("axis", 0)
      .node("Expand", {"net.start", "sizes"}, {"h0"});
  const auto graph = import(model);
  REQUIRE(graph.parameter("net.start").value.sizes() == at::IntArrayRef{1, 4});
  REQUIRE(graph.parameter("net.start").trainable);
  REQUIRE(print_graph(graph).find("ExpandBatch(%net.start, x)") != std::string::npos);
  require_round_trip(graph);
}

TEST_CASE("recurrent: a checkpoint keeps the nodes and parameters as they are", "[io]") {
  const test::TemporaryFolder folder;
  const auto graph = import(lstm("bidirectional", {}, 2));
  io::export_onnx(graph, folder.path() / "graph.onnx", {.own_operators = true});
  REQUIRE(print_graph(io::read_onnx_exactly(folder.path() / "graph.onnx")) == print_graph(graph));
}

TEST_CASE("recurrent: what does not fit is named", "[io]") {
  const auto fails = [](const OnnxModel& model, const std::string& part) {
    test::require_error([&] { import(model); }, part);
  };
  fails(lstm("forward", {}, 2), "has shape 2x16x3, but the layer needs 1x16x3");
  fails(lstm("sideways"), "attribute 'direction' is 'sideways'");
  auto hidden = lstm("forward");
  hidden.graph().mutable_node(1)->mutable_attribute(0)->set_i(5);
  fails(hidden, "attribute 'hidden_size' is 5, but the recurrent weight has shape 1x16x4");
  auto computed = lstm("forward");
  computed.input("w", {1, 16, 3});
  computed.graph().mutable_node(1)->set_input(1, "w");
  fails(computed, "input 1 must be a constant, but it is computed from the network's inputs");
  fails(lstm("forward", {"", "net.B"}), "input 5 has shape 1x32, but an initial state needs 1x2x4");
  fails(lstm("forward", {"", "net.R"}), "the initial state has shape 16x4, but the layer needs 2x4");
}
