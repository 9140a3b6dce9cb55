// What the importer says about files that are no good.

#include "core/file.h"
#include "io/onnx.h"
#include "io/onnx_tensor.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/onnx_model.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

using namespace compress;
using compress::test::OnnxModel;
using compress::test::small_onnx;

namespace {

template <class... Parts>
void refused(const std::string& bytes, Parts... parts) {
  test::require_error([&] { io::import_onnx_bytes(bytes, "bad.onnx"); }, "bad.onnx", parts...);
}

template <class... Parts>
void refused(const OnnxModel& model, Parts... parts) {
  refused(model.bytes(), parts...);
}

}  // namespace

TEST_CASE("import: no file, garbage, nothing and a cut file are told apart from models") {
  test::require_error([] { io::import_onnx("no/such.onnx"); }, "no/such.onnx");
  refused(std::string("this is not a model at all, it is text"), "no ONNX model");
  refused(std::string(), "no ONNX model");
  const auto bytes = small_onnx().bytes();
  refused(bytes.substr(0, bytes.size() - 5), "cut off");
}

TEST_CASE("import: an operator that is not supported is named with its node and the nearest") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Rellu", {"x"}, {"y"}, "act");
  refused(model, "act", "'Rellu' is not supported", "did you mean 'Relu'", "compress list operators");
}

TEST_CASE("import: all unsupported operators are reported at once, other domains too") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Foo", {"x"}, {"a"}).node("Bar", {"a"}, {"y"});
  model.graph().mutable_node(1)->set_domain("com.microsoft");
  refused(model, "'Foo'", "com.microsoft.Bar");
}

TEST_CASE("import: a cycle is named") {
  OnnxModel model;
  model.input("x", {-1, 2})
      .output("y")
      .node("Add", {"x", "b"}, {"a"}, "one")
      .node("Relu", {"a"}, {"b"}, "two")
      .node("Relu", {"a"}, {"y"});
  refused(model, "cycle", "'one'");
}

TEST_CASE("import: what nothing makes is named") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Relu", {"z"}, {"y"}, "act");
  refused(model, "node 'act' (Relu) reads 'z', which nothing makes");
  OnnxModel output;
  output.input("x", {-1, 2}).output("z").node("Relu", {"x"}, {"y"});
  refused(output, "output 'z' is made by no node");
}

TEST_CASE("import: names must be unique") {
  auto model = small_onnx();
  model.node("Relu", {"x"}, {"c"}, "again");
  refused(model, "two values are called 'c'", "again");
  auto outputs = small_onnx();
  outputs.output("y");
  refused(outputs, "two outputs are called 'y'");
}

TEST_CASE("import: tensors must have the data that their shape needs, and nothing is allocated before that is known") {
  auto model = small_onnx();
  model.graph().mutable_initializer(0)->mutable_float_data()->RemoveLast();
  refused(model, "tensor 'conv.weight' has 53 elements of data, its shape 3x2x3x3 needs 54");
  auto huge = small_onnx();
  huge.graph().mutable_initializer(0)->set_dims(0, int64_t{1} << 40);
  refused(huge, "tensor 'conv.weight'", "elements of data");
  huge.graph().mutable_initializer(0)->set_dims(1, int64_t{1} << 40);
  refused(huge, "impossible shape");
  auto raw = small_onnx();
  raw.graph().mutable_initializer(0)->set_raw_data("abc");
  refused(raw, "3 bytes of data", "needs 216");
  auto negative = small_onnx();
  negative.graph().mutable_initializer(0)->set_dims(0, -3);
  refused(negative, "impossible shape");
  auto strange = small_onnx();
  strange.graph().mutable_initializer(0)->set_data_type(8);
  refused(strange, "element type STRING");
}

TEST_CASE("import: constants of absurd sizes are not computed") {
  OnnxModel model;
  model.input("x", {-1, 2}).integers("s", {1 << 20, 1 << 20}).output("y");
  model.node("ConstantOfShape", {"s"}, {"c"}, "big").node("Add", {"x", "c"}, {"y"});
  refused(model, "node 'big' (ConstantOfShape)", "absurd size");
}

TEST_CASE("import: subgraphs, attributes without type and doubled attributes are refused") {
  auto model = small_onnx();
  auto& attribute = *model.graph().mutable_node(1)->add_attribute();
  attribute.set_name("body");
  refused(model, "attribute 'body' has no type");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  refused(model, "holds a subgraph ('body')", "only If and Loop");
  auto twice = small_onnx();
  twice.with("axis", 1).with("axis", 1);
  refused(twice, "two attributes 'axis'");
}

TEST_CASE("import: attributes that the operator cannot take are named") {
  auto model = small_onnx();
  model.with("slope", 3);
  refused(model, "(Relu)", "attribute 'slope' is not supported");
}

TEST_CASE("import: shapes that do not fit name the node") {
  auto model = small_onnx();
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(
      5);
  refused(model, "conv");
}

TEST_CASE("import: sizes other than the batch must be fixed") {
  auto model = small_onnx();
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(2)->set_dim_param(
      "height");
  refused(model, "input 'x': size 2 is not fixed ('height')", "only the batch");
  auto shapeless = small_onnx();
  shapeless.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  refused(shapeless, "input 'x' has no shape");
}

TEST_CASE("import: inputs that must be constant say so") {
  OnnxModel model;
  model.input("x", {-1, 2}).input("low", {1}).output("y").node("Clip", {"x", "low"}, {"y"}, "cut");
  refused(model, "cut", "('min') must be a constant");
}

TEST_CASE("import: opsets that are missing or too old are refused") {
  auto old = small_onnx(6);
  refused(old, "opset 6", "the oldest that is supported is 7");
  auto none = small_onnx();
  none.proto.clear_opset_import();
  refused(none, "opset_import");
}

TEST_CASE("import: external data must lie in the model's folder and be whole") {
  test::TemporaryFolder folder;
  auto model = small_onnx();
  auto& tensor = *model.graph().mutable_initializer(0);
  tensor.clear_float_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto located = [&](const std::string& place) {
    tensor.clear_external_data();
    auto& entry = *tensor.add_external_data();
    entry.set_key("location");
    entry.set_value(place);
    write_file(folder / "m.onnx", model.bytes());
    return [&] { io::import_onnx(folder / "m.onnx"); };
  };
  test::require_error(located("../secret"), "outside the model's folder");
  test::require_error(located("sub/../../secret"), "outside the model's folder");
  std::filesystem::create_symlink("/etc/passwd", folder / "link");
  test::require_error(located("link"), "outside the model's folder");
  test::require_error(located("/etc/passwd"), "outside the model's folder");
  test::require_error(located("data"), "does not exist", "copy it beside the model");
  write_file(folder / "data", "short");
  test::require_error(located("data"), "which has only 5");
  write_file(folder / "data", std::string(216, '\0'));
  located("data")();
  refused(model, "cannot be read from memory");
}

TEST_CASE("import: sizes of 0 and sizes that overflow are refused") {
  const auto with_size = [](int64_t size) {
    auto model = small_onnx();
    auto& shape = *model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
    shape.mutable_dim(2)->set_dim_value(size);
    return model;
  };
  refused(with_size(0), "input 'x': size 2 is 0");
  refused(with_size(-7), "impossible size -7");
  refused(with_size(int64_t{1} << 60), "impossible shape");
}

TEST_CASE("import: an operator of another domain is named with it") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("FusedConv", {"x"}, {"y"}, "fused");
  model.graph().mutable_node(0)->set_domain("com.microsoft");
  refused(model, "'fused'", "com.microsoft.FusedConv");
}

TEST_CASE("import: constant indices that lie outside are found") {
  OnnxModel model;
  model.input("x", {-1, 4}).integers("indices", {0, 4}).output("y").node("Gather", {"x", "indices"}, {"y"}, "pick");
  model.with("axis", 1);
  refused(model, "node 'pick' (Gather): index 4 is outside of axis 1, which has 4 entries");
}

TEST_CASE("import: a scale of zero is refused") {
  OnnxModel model;
  model.input("x", {-1, 4}).floats("scale", {}, {0}).output("y").node("QuantizeLinear", {"x", "scale"}, {"y"}, "q");
  refused(model, "node 'q' (QuantizeLinear): the scale is not everywhere a positive number");
}

TEST_CASE("import: a convolution with a weight of integers is refused") {
  auto model = small_onnx();
  auto& weight = *model.graph().mutable_initializer(0);
  weight.clear_float_data();
  weight.set_data_type(onnx::TensorProto::INT32);
  for (int i = 0; i < 54; ++i) weight.add_int32_data(i);
  refused(model, "the weight is of type Int", "ConvInteger");
}

TEST_CASE("import: text in a Constant is refused") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Constant", {}, {"c"}, "words").node("Add", {"x", "c"}, {"y"});
  auto& attribute = *model.graph().mutable_node(0)->add_attribute();
  attribute.set_name("value_string");
  attribute.set_type(onnx::AttributeProto::STRING);
  attribute.set_s("text");
  refused(model, "node 'words' (Constant) holds no tensor that is supported");
}

TEST_CASE("import: a file nested deeper than protobuf allows is refused") {
  OnnxModel model;
  model.input("x", {-1, 2}).output("y").node("Relu", {"x"}, {"y"});
  for (int depth = 0; depth < 200; ++depth) {
    OnnxModel outer;
    outer.input("x", {-1, 2}).output("y").node("If", {"x"}, {"y"}).with_graph("then_branch", model);
    model = outer;
  }
  refused(model, "no ONNX model");
}

TEST_CASE("import: integers of 4 bits are read by quantisers only") {
  OnnxModel model(21);
  model.input("x", {-1, 3})
      .output("y")
      .node("Cast", {"w"}, {"c"}, "widen")
      .with("to", 1)
      .node("Add", {"x", "c"}, {"y"});
  io::write_four_bits(*model.graph().add_initializer(), "w", test::integers({1, 2, 3}).to(at::kChar));
  refused(model, "node 'widen' (Cast) reads 'w', which holds integers of 4 bits",
          "only QuantizeLinear and DequantizeLinear may");
}

TEST_CASE("import: weights that are NaN are imported with a warning that names them") {
  auto model = small_onnx();
  model.graph().mutable_initializer(0)->set_float_data(3, std::numeric_limits<float>::quiet_NaN());
  const auto text = test::captured_stderr([&] { io::import_onnx_bytes(model.bytes(), "nan.onnx"); });
  REQUIRE(text.find("1 of 1 parameters hold NaN, 'conv.weight' first") != std::string::npos);
}
