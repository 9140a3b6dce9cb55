#include "core/random.h"
#include "io/onnx.h"
#include "io/safetensors.h"
#include "ops/op.h"
#include "support/onnx_model.h"
#include "support/random_graph.h"

#include <catch2/catch.hpp>

using namespace compress;

namespace {

/// A changed copy: cut, bytes replaced, inserted or repeated.
std::string damaged(const std::string& bytes, uint64_t seed) {
  Random random(seed, "damage");
  auto copy = bytes;
  if (random.chance(0.2)) copy.resize(static_cast<size_t>(random.below(std::ssize(bytes))));
  for (int64_t changes = random.below(4) + 1; changes > 0 && !copy.empty(); --changes) {
    const auto at = static_cast<size_t>(random.below(std::ssize(copy)));
    switch (random.below(4)) {
    case 0: copy[at] = static_cast<char>(random.below(256)); break;
    case 1: copy[at] ^= static_cast<char>(1 << random.below(8)); break;
    case 2: copy.insert(at, 1, static_cast<char>(random.below(256))); break;
    default: copy.insert(at, copy.substr(at, static_cast<size_t>(random.below(24)))); break;
    }
  }
  return copy;
}

int64_t odd_number(Random& random) {
  constexpr int64_t kOdd[] = {0,
                              1,
                              -1,
                              2,
                              3,
                              5,
                              17,
                              -2,
                              100,
                              1 << 20,
                              -(1 << 20),
                              int64_t{1} << 40,
                              std::numeric_limits<int64_t>::max(),
                              std::numeric_limits<int64_t>::min()};
  return kOdd[random.below(std::ssize(kOdd))];
}

std::string any_value(const onnx::GraphProto& graph, Random& random) {
  if (random.chance(0.4)) return graph.initializer(static_cast<int>(random.below(graph.initializer_size()))).name();
  if (random.chance(0.1)) return "";
  return random.chance(0.1) ? graph.input(0).name()
                            : graph.node(static_cast<int>(random.below(graph.node_size()))).output(0);
}

void change_attribute(onnx::NodeProto& node, Random& random) {
  if (node.attribute_size() == 0 || random.chance(0.2)) {
    auto& added = *node.add_attribute();
    constexpr const char* kNames[] = {"axis",         "axes",     "pads", "group",     "strides",
                                      "kernel_shape", "keepdims", "perm", "dilations", "allowzero"};
    added.set_name(kNames[random.below(std::ssize(kNames))]);
    added.set_type(random.chance(0.5) ? onnx::AttributeProto::INT : onnx::AttributeProto::INTS);
    added.set_i(odd_number(random));
    for (auto count = random.below(5); count > 0; --count) added.add_ints(odd_number(random));
    return;
  }
  auto& attribute = *node.mutable_attribute(static_cast<int>(random.below(node.attribute_size())));
  attribute.set_i(odd_number(random));
  for (auto& x : *attribute.mutable_ints())
    if (random.chance(0.5)) x = odd_number(random);
  if (random.chance(0.2)) attribute.add_ints(odd_number(random));
}

void change_node(onnx::GraphProto& graph, Random& random) {
  auto& node = *graph.mutable_node(static_cast<int>(random.below(graph.node_size())));
  const auto ops = ops::all_ops();
  switch (random.below(4)) {
  case 0: change_attribute(node, random); break;
  case 1: node.set_op_type(std::string(ops[static_cast<size_t>(random.below(std::ssize(ops)))]->name)); break;
  case 2: node.add_input(any_value(graph, random)); break;
  default:
    if (node.input_size() > 0)
      node.set_input(static_cast<int>(random.below(node.input_size())), any_value(graph, random));
  }
}

/// A file that is whole, with an odd model in it.
std::string odd_model(const std::string& bytes, uint64_t seed) {
  Random random(seed, "oddity");
  onnx::ModelProto model;
  model.ParseFromString(bytes);
  auto& graph = *model.mutable_graph();
  for (auto changes = random.below(3) + 1; changes > 0; --changes) {
    if (random.chance(0.6)) {
      change_node(graph, random);
      continue;
    }
    auto& tensor = *graph.mutable_initializer(static_cast<int>(random.below(graph.initializer_size())));
    if (random.chance(0.7))
      for (auto& x : *tensor.mutable_int64_data()) x = random.chance(0.5) ? odd_number(random) : x;
    else if (tensor.dims_size() > 0)
      tensor.set_dims(0, odd_number(random));
    if (random.chance(0.1))
      graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(2)->set_dim_value(
          odd_number(random));
    if (random.chance(0.1)) model.mutable_opset_import(0)->set_version(random.below(16) + 7);
  }
  return model.SerializeAsString();
}

/// Only an Error, and only one that blames the request, may escape.
template <class Body>
bool survives(Body&& body) {
  try {
    body();
    return true;
  } catch (const Error& error) {
    return error.fault() == Fault::request && !error.message().empty();
  }
}

/// Shapes, slices, constants: what an exporter writes around a small network; few weights, so that damage hits
/// structure.
std::string shape_heavy_model() {
  test::OnnxModel model;
  model.input("x", {-1, 2, 6, 6})
      .weight("conv.weight", {2, 1, 3, 3})
      .integers("pads", {0, 0, 1, 1, 0, 0, 1, 1})
      .integer("zero", 0)
      .integer("one", 1);
  model.integers("axis", {0})
      .integers("rest", {-1})
      .integers("start", {0, 0})
      .integers("end", {5, 5})
      .integers("axes", {2, 3})
      .weight("fc.weight", {3, 18});
  model.output("y")
      .node("Pad", {"x", "pads"}, {"p"})
      .node("Conv", {"p", "conv.weight"}, {"c"})
      .with("group", 2)
      .with_list("strides", {1, 1});
  model.node("Relu", {"c"}, {"r"})
      .node("Slice", {"r", "start", "end", "axes"}, {"s"})
      .node("MaxPool", {"s"}, {"m"})
      .with_list("kernel_shape", {2, 2});
  model.with_list("strides", {2, 2})
      .with("ceil_mode", 1)
      .node("Shape", {"m"}, {"h"})
      .node("Gather", {"h", "zero"}, {"n"});
  model.node("Unsqueeze", {"n", "axis"}, {"u"})
      .node("Concat", {"u", "rest"}, {"f"})
      .with("axis", 0)
      .node("Reshape", {"m", "f"}, {"z"});
  model.node("Gemm", {"z", "fc.weight"}, {"g"}).with("transB", 1).node("Softmax", {"g"}, {"y"}).with("axis", -1);
  return model.bytes();
}

}  // namespace

TEST_CASE("fuzz: a damaged ONNX file is imported or refused, never a crash", "[fuzz]") {
  const auto structure = shape_heavy_model();
  io::import_onnx_bytes(structure, "whole.onnx");
  for (uint64_t seed = 0; seed < 2500; ++seed) {
    INFO("seed " << seed);
    REQUIRE(survives([&] { io::import_onnx_bytes(damaged(structure, seed), "damaged.onnx"); }));
  }
  const auto exported = io::export_onnx_bytes(test::random_graph(3));
  for (uint64_t seed = 0; seed < 500; ++seed) {
    INFO("seed " << seed);
    REQUIRE(survives([&] { io::import_onnx_bytes(damaged(exported, seed), "damaged.onnx"); }));
  }
}

TEST_CASE("fuzz: odd numbers, names and operators in a whole file are imported or refused, never a crash", "[fuzz]") {
  const auto structure = shape_heavy_model();
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    REQUIRE(survives([&] { io::import_onnx_bytes(odd_model(structure, seed), "odd.onnx"); }));
  }
}

TEST_CASE("fuzz: a damaged safetensors file is read or refused, never a crash", "[fuzz]") {
  auto graph = test::random_graph(4);
  io::TensorFile file;
  for (const auto& parameter : graph.parameters()) file.tensors[parameter.name] = parameter.value.slice(0, 0, 1);
  const auto bytes = io::safetensors_bytes(file);
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    REQUIRE(survives([&] { io::parse_safetensors(damaged(bytes, seed), "damaged.safetensors"); }));
  }
}
