#include "io/import_names.h"

#include "io/onnx.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

/// Names of nodes, then of parameters.
std::vector<std::string> names(const OnnxModel& model) {
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  for (const auto& name : graph.parameter_names()) names.push_back(name);
  return names;
}

using Words = std::vector<std::string>;

OnnxModel conv_model(const std::string& node, const std::string& weight, const std::string& bias) {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4}).weight(weight, {2, 2, 3, 3}).weight(bias, {2}).output("y");
  model.node("Conv", {"x", weight, bias}, {"y"}, node);
  return model;
}

/// What the newer exporter of PyTorch writes into field 9 of a node.
void set_scopes(OnnxModel& model, const std::string& scopes) {
  onnx::StringStringEntryProto entry;
  entry.set_key("pkg.torch.onnx.name_scopes");
  entry.set_value(scopes);
  auto& node = *model.graph().mutable_node(model.graph().node_size() - 1);
  node.GetReflection()->MutableUnknownFields(&node)->AddLengthDelimited(9, entry.SerializeAsString());
}

}  // namespace

TEST_CASE("names: parameters that lost their name get it from the module path") {
  REQUIRE(names(conv_model("/layer1/layer1.0/conv1/Conv", "onnx::Conv_45", "onnx::Conv_46")) ==
          Words{"layer1.0.conv1", "layer1.0.conv1.weight", "layer1.0.conv1.bias"});
  REQUIRE(names(conv_model("/features/features.0/features.0.0/Conv", "45", "46")) ==
          Words{"features.0.0", "features.0.0.weight", "features.0.0.bias"});
}

TEST_CASE("names: one named parameter names the others") {
  REQUIRE(names(conv_model("/a/Conv", "onnx::Conv_45", "block.conv.bias")) ==
          Words{"block.conv", "block.conv.weight", "block.conv.bias"});
}

TEST_CASE("names: without any hint the operator is the name") {
  REQUIRE(names(conv_model("", "1", "2")) == Words{"conv", "conv.weight", "conv.bias"});
  REQUIRE(names(conv_model("stem/conv", "1", "2")) == Words{"stem/conv", "stem/conv.weight", "stem/conv.bias"});
  REQUIRE(names(conv_model("Conv_0", "1", "2")) == Words{"conv", "conv.weight", "conv.bias"});
}

TEST_CASE("names: the bias that batch-norm left in a convolution has its usual name") {
  REQUIRE(names(conv_model("", "conv.weight", "conv.weight_bias")) == Words{"conv", "conv.weight", "conv.bias"});
}

TEST_CASE("names: functions in a module that holds modules are named after the operator, modules after their path") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4}).weight("b.0.conv.weight", {2, 2, 1, 1}).output("y");
  model.node("Conv", {"x", "b.0.conv.weight"}, {"c"}, "/b/b.0/conv/Conv").node("Relu", {"c"}, {"r"}, "/b/b.0/Relu");
  model.node("Relu", {"r"}, {"q"}, "/b/b.0/Relu_1")
      .node("Sigmoid", {"q"}, {"s"}, "/b/b.0/act/Sigmoid")
      .node("Add", {"s", "x"}, {"y"}, "/Add");
  REQUIRE(names(model) == Words{"b.0.conv", "b.0.relu", "b.0.relu_1", "b.0.act", "add", "b.0.conv.weight"});
}

TEST_CASE("names: the newer exporter's module paths are read from the node's metadata") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Relu", {"x"}, {"r"}, "node_relu");
  set_scopes(model, "['', 'layer', 'layer.1', 'relu']");
  model.node("Sigmoid", {"r"}, {"y"}, "node_sigmoid");
  set_scopes(model, "['', 'sigmoid']");
  REQUIRE(names(model) == Words{"layer.1", "sigmoid"});
}

TEST_CASE("names: batch-norm parameters are known by their position") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4}).weight("1", {2}).weight("2", {2}).weight("3", {2}).weight("4", {2}).output("y");
  model.node("BatchNormalization", {"x", "1", "2", "3", "4"}, {"y"}, "/bn/BatchNormalization");
  REQUIRE(names(model) == Words{"bn", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"});
}

TEST_CASE("names: a weight that lost its name is called like the bias that is added to its product") {
  OnnxModel model;
  model.input("x", {-1, 3, 4}).weight("onnx::MatMul_9", {4, 4}).weight("mix.in_proj_bias", {4});
  model.weight("onnx::MatMul_12", {4, 4}).output("y");
  model.node("MatMul", {"x", "onnx::MatMul_9"}, {"p"}, "/mix/MatMul");
  model.node("Add", {"mix.in_proj_bias", "p"}, {"q"}, "/mix/Add");
  model.node("MatMul", {"q", "onnx::MatMul_12"}, {"r"}, "/mix/out/MatMul").node("Relu", {"r"}, {"y"}, "/mix/out/Relu");
  REQUIRE(names(model) == Words{"mix.mat_mul", "mix.add", "mix.out.mat_mul", "mix.out.relu", "mix.in_proj_weight",
                                "mix.in_proj_bias", "mix.out.weight"});
}

TEST_CASE("names: a recurrent layer is named after its parameters, each direction apart") {
  OnnxModel model;
  model.input("x", {7, 2, 3}).weight("onnx::LSTM_1", {2, 8, 3}).weight("onnx::LSTM_2", {2, 8, 2}).output("y");
  model.node("LSTM", {"x", "onnx::LSTM_1", "onnx::LSTM_2"}, {"y"}, "/net/lstm/LSTM")
      .with_text("direction", "bidirectional");
  REQUIRE(names(model) == Words{"net.lstm.l0", "net.lstm.l0_reverse", "net.lstm.unsqueeze", "net.lstm.unsqueeze_1",
                                "net.lstm.concat", "net.lstm.weight_ih_l0", "net.lstm.weight_hh_l0",
                                "net.lstm.weight_ih_l0_reverse", "net.lstm.weight_hh_l0_reverse"});
}
