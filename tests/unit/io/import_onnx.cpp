#include "exec/plan.h"
#include "graph/text_form.h"
#include "io/onnx.h"
#include "support/onnx_model.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;

namespace {

std::string imported(const OnnxModel& model) {
  return print_graph(io::import_onnx_bytes(model.bytes(), "model.onnx"));
}

bool has(const std::string& text, const std::string& line) {
  return text.find(line) != std::string::npos;
}

/// y = Reshape(x) to what the named value says.
OnnxModel reshaped(std::initializer_list<int64_t> input, const std::vector<int64_t>& shape) {
  OnnxModel model;
  model.input("x", input).integers("shape", shape).output("y").node("Reshape", {"x", "shape"}, {"y"});
  return model;
}

}  // namespace

TEST_CASE("import: a convolution and its activation read like the PyTorch network") {
  REQUIRE(imported(test::small_onnx()) == R"(graph model(x: float[N,2,4,4]) -> (y = relu)
parameter conv.weight: float[3,2,3,3]
conv = Conv(x, %conv.weight) kernel_shape=[3,3]
relu = Relu(conv)
)");
}

TEST_CASE("import: shape arithmetic that follows the batch becomes a flatten") {
  OnnxModel model;
  model.input("x", {-1, 2, 3, 3}).integer("zero", 0).integers("first", {0}).integers("rest", {-1}).output("y");
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"}).with("axis", 0);
  model.node("Unsqueeze", {"n", "first"}, {"n1"}).node("Concat", {"n1", "rest"}, {"shape"}).with("axis", 0);
  model.node("Reshape", {"x", "shape"}, {"y"});
  REQUIRE(has(imported(model), "flatten = Flatten(x)\n"));
}

TEST_CASE("import: sizes computed from shapes are folded, the batch stays free") {
  OnnxModel model;
  model.input("x", {-1, 8, 6})
      .integer("two", 2)
      .integer("one", 1)
      .integers("axis", {0})
      .integers("rest", {-1})
      .output("y");
  model.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "one"}, {"c"}).node("Div", {"c", "two"}, {"half"});
  model.node("Gather", {"s", "axis"}, {"n"})
      .node("Unsqueeze", {"half", "axis"}, {"h"})
      .node("Concat", {"n", "h", "rest"}, {"shape"})
      .with("axis", 0);
  model.node("Reshape", {"x", "shape"}, {"y"});
  REQUIRE(has(imported(model), "reshape = Reshape(x) shape=[0,4,12]\n"));
}

TEST_CASE("import: a batch that the exporter fixed is freed") {
  const auto text = imported(reshaped({1, 4, 3}, {1, 12}));
  REQUIRE(has(text, "x: float[N,4,3]"));
  REQUIRE(has(text, "flatten = Flatten(x)"));
}

TEST_CASE("import: a batch that the network needs stays fixed") {
  REQUIRE(has(imported(reshaped({4, 6}, {2, 12})), "x: float[4,6]"));
  OnnxModel mean;
  mean.input("x", {1, 4}).output("y").node("ReduceMean", {"x"}, {"y"}).with_list("axes", {0});
  REQUIRE(has(imported(mean), "x: float[1,4]"));
  OnnxModel turned;
  turned.input("x", {3, 4}).output("y").node("Transpose", {"x"}, {"y"}).with_list("perm", {1, 0});
  REQUIRE(has(imported(turned), "x: float[3,4]"));
}

TEST_CASE("import: operators without effect go") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4}).integers("pads", {0, 0, 0, 0, 0, 0, 0, 0}).integers("same", {0, 2, 4, 4}).output("y");
  model.integers("start", {0}).integers("end", {9}).integers("axis", {2});
  model.node("Identity", {"x"}, {"a"}).node("Pad", {"a", "pads"}, {"b"}).node("Reshape", {"b", "same"}, {"c"});
  model.node("Slice", {"c", "start", "end", "axis"}, {"d"})
      .node("Concat", {"d"}, {"e"})
      .with("axis", 1)
      .node("Relu", {"e"}, {"y"});
  REQUIRE(imported(model) == "graph model(x: float[N,2,4,4]) -> (y = relu)\nrelu = Relu(x)\n");
}

TEST_CASE("import: an output may be an input, whatever stood between") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Identity", {"x"}, {"y"});
  REQUIRE(imported(model) == "graph model(x: float[N,2]) -> (y = x)\n");
}

TEST_CASE("import: constant inputs become attributes") {
  OnnxModel model;
  model.input("x", {-1, 2})
      .floats("low", {}, {0})
      .floats("high", {}, {0.1f})
      .output("y")
      .node("Clip", {"x", "low", "high"}, {"y"});
  REQUIRE(has(imported(model), "clip = Clip(x) max=0.1 min=0.0\n"));
}

TEST_CASE("import: old opsets have the same things as attributes") {
  OnnxModel model(9);
  model.input("x", {-1, 2, 4}).output("y").node("Clip", {"x"}, {"a"}).with_number("min", 0).with_number("max", 6);
  model.node("Slice", {"a"}, {"y"}).with_list("starts", {1}).with_list("ends", {3}).with_list("axes", {2});
  REQUIRE(has(imported(model), "clip = Clip(x) max=6.0 min=0.0\nslice = Slice(clip) axes=[2] ends=[3] starts=[1]\n"));
}

TEST_CASE("import: a softmax of an old opset that means one axis is that axis") {
  OnnxModel model(11);
  model.input("x", {-1, 5}).output("y").node("Softmax", {"x"}, {"y"});
  REQUIRE(has(imported(model), "softmax = Softmax(x)\n"));
}

TEST_CASE("import: initialisers that are listed as inputs, as before IR version 4, are parameters") {
  auto model = test::small_onnx();
  model.input("conv.weight", {3, 2, 3, 3});
  REQUIRE(has(imported(model), "graph model(x: float[N,2,4,4]) -> "));
}

TEST_CASE("import: MatMul and Add of a bias are one linear layer with PyTorch's weight") {
  OnnxModel model;
  model.input("x", {-1, 2})
      .floats("onnx::MatMul_7", {2, 3}, {1, 2, 3, 4, 5, 6})
      .floats("fc.bias", {3}, {1, 1, 1})
      .output("y");
  model.node("MatMul", {"x", "onnx::MatMul_7"}, {"m"}, "/fc/MatMul").node("Add", {"fc.bias", "m"}, {"y"}, "/fc/Add");
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  REQUIRE(has(print_graph(graph), "fc = Gemm(x, %fc.weight, %fc.bias) transB=1\n"));
  REQUIRE(graph.parameter("fc.weight").value.sizes() == at::IntArrayRef{3, 2});
  REQUIRE(graph.parameter("fc.weight").value[2][0].item<float>() == 3);
}

TEST_CASE("import: a tied weight stays one parameter, also when each use transposes it") {
  OnnxModel model;
  model.input("x", {-1, 4, 3}).weight("w.weight", {3, 3}).output("y");
  model.node("Transpose", {"w.weight"}, {"t1"}).with_list("perm", {1, 0}).node("MatMul", {"x", "t1"}, {"a"});
  model.node("Transpose", {"w.weight"}, {"t2"}).with_list("perm", {1, 0}).node("MatMul", {"a", "t2"}, {"y"});
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  REQUIRE(graph.parameter_names() == std::vector<std::string>{"w.weight"});
}

TEST_CASE("import: a weight of two linear layers is transposed once, one that is read otherwise not at all") {
  OnnxModel model;
  model.input("x", {-1, 2})
      .weight("w.weight", {2, 2})
      .output("y")
      .node("MatMul", {"x", "w.weight"}, {"a"})
      .node("MatMul", {"a", "w.weight"}, {"y"});
  REQUIRE(has(imported(model), "w = Gemm(x, %w.weight) transB=1\nw_1 = Gemm(w, %w.weight) transB=1\n"));
  model.input("u", {2, 2}).output("z").node("Add", {"u", "w.weight"}, {"z"});
  REQUIRE(has(imported(model), "w = MatMul(x, %w.weight)\nw_1 = MatMul(w, %w.weight)\n"));
}

TEST_CASE("import: a split names its parts") {
  OnnxModel model(18);
  model.input("x", {-1, 5})
      .output("y")
      .output("z")
      .node("Split", {"x"}, {"y", "z"})
      .with("axis", 1)
      .with("num_outputs", 2);
  REQUIRE(has(imported(model), "split, split:1 = Split(x) axis=1 split=[3,2]\n"));
}

TEST_CASE("import: a network exported in training mode is imported as it is in use") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4})
      .weight("bn.weight", {2})
      .weight("bn.bias", {2})
      .weight("bn.running_mean", {2})
      .weight("bn.running_var", {2});
  model.output("y").node("BatchNormalization", {"x", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"},
                         {"b", "m", "v"});
  model.with("training_mode", 1).floats("ratio", {}, {0.5f});
  model.node("Dropout", {"b", "ratio"}, {"y", "mask"}).with("seed", 3);
  REQUIRE(has(imported(model), "running_var)\ndropout = Dropout(bn) ratio=0.5\n"));
}

TEST_CASE("import: statistics, whole numbers and lifted constants are not trainable") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4})
      .weight("bn.gamma", {2})
      .weight("bn.beta", {2})
      .weight("m", {2})
      .weight("v", {2})
      .floats("onnx::Mul_9", {}, {0.5f});
  model.output("y")
      .node("BatchNormalization", {"x", "bn.gamma", "bn.beta", "m", "v"}, {"b"})
      .node("Mul", {"b", "onnx::Mul_9"}, {"y"});
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  REQUIRE(graph.parameter("bn.gamma").trainable);
  REQUIRE_FALSE(graph.parameter("m").trainable);
  REQUIRE_FALSE(graph.parameter("v").trainable);
  REQUIRE_FALSE(graph.parameter("mul.constant").trainable);
}

TEST_CASE("import: nodes in any order are sorted, names of the outside are kept") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("logits");
  model.node("Relu", {"h"}, {"logits"}).node("Sigmoid", {"x"}, {"h"});
  REQUIRE(imported(model) ==
          "graph model(x: float[N,2]) -> (logits = relu)\nsigmoid = Sigmoid(x)\nrelu = Relu(sigmoid)\n");
}

TEST_CASE("import: metadata travels") {
  auto model = test::small_onnx();
  auto& entry = *model.proto.add_metadata_props();
  entry.set_key("normalize");
  entry.set_value("0.5");
  const auto graph = io::import_onnx_bytes(model.bytes(), "model.onnx");
  REQUIRE(graph.metadata == std::map<std::string, std::string>{{"normalize", "0.5"}});
}

TEST_CASE("import: slices one behind the other become one") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4})
      .integers("zero", {0})
      .integers("end", {9})
      .integers("two", {2})
      .integers("three", {3})
      .output("y");
  model.node("Slice", {"x", "zero", "end", "two", "two"}, {"a"})
      .node("Slice", {"a", "zero", "end", "three", "two"}, {"y"});
  REQUIRE(has(imported(model), "slice = Slice(x) axes=[2,3] ends=[9,9] starts=[0,0] steps=[2,2]\n"));
}

TEST_CASE("import: a mean or window over all of space is a global pool") {
  OnnxModel model;
  model.input("x", {-1, 2, 4, 4}).output("y").output("z");
  model.node("ReduceMean", {"x"}, {"y"})
      .with_list("axes", {-2, -1})
      .node("AveragePool", {"x"}, {"z"})
      .with_list("kernel_shape", {4, 4});
  const auto text = imported(model);
  REQUIRE(has(text, "global_average_pool = GlobalAveragePool(x)\nglobal_average_pool_1 = GlobalAveragePool(x)\n"));
}
