#pragma once

#include <ATen/core/Tensor.h>

#include <onnx/onnx_pb.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

namespace compress::test {

/// An ONNX model, written down node by node as an exporter would.
class OnnxModel {
public:
  explicit OnnxModel(int opset = 17) {
    proto.set_ir_version(8);
    proto.add_opset_import()->set_version(opset);
    graph().set_name("main_graph");
  }

  onnx::GraphProto& graph() { return *proto.mutable_graph(); }

  /// -1: the batch.
  OnnxModel& input(const std::string& name, std::initializer_list<int64_t> sizes) {
    auto& value = *graph().add_input();
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(onnx::TensorProto::FLOAT);
    tensor.mutable_shape();
    for (const auto size : sizes) {
      auto& dim = *tensor.mutable_shape()->add_dim();
      size < 0 ? dim.set_dim_param("batch") : dim.set_dim_value(size);
    }
    return *this;
  }

  OnnxModel& output(const std::string& name) {
    graph().add_output()->set_name(name);
    return *this;
  }

  OnnxModel& floats(const std::string& name, std::initializer_list<int64_t> sizes, const std::vector<float>& values) {
    auto& tensor = constant(name, sizes, onnx::TensorProto::FLOAT);
    for (const auto x : values) tensor.add_float_data(x);
    return *this;
  }
  /// As many numbers as the sizes need: 0.1, 0.2, ...
  OnnxModel& weight(const std::string& name, std::initializer_list<int64_t> sizes) {
    size_t count = 1;
    for (const auto size : sizes) count *= static_cast<size_t>(size);
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = 0.1f * static_cast<float>(i % 17 + 1);
    return floats(name, sizes, values);
  }
  OnnxModel& integers(const std::string& name, const std::vector<int64_t>& values) {
    auto& tensor = constant(name, {static_cast<int64_t>(values.size())}, onnx::TensorProto::INT64);
    for (const auto x : values) tensor.add_int64_data(x);
    return *this;
  }
  OnnxModel& integer(const std::string& name, int64_t value) {
    constant(name, {}, onnx::TensorProto::INT64).add_int64_data(value);
    return *this;
  }

  OnnxModel& node(const std::string& op,
                  const std::vector<std::string>& inputs,
                  const std::vector<std::string>& outputs,
                  const std::string& name = {}) {
    auto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(name);
    for (const auto& input : inputs) node.add_input(input);
    for (const auto& output : outputs) node.add_output(output);
    return *this;
  }

  // ---- attributes of the last node ---------------------------------------------------------------------------------
  OnnxModel& with(const std::string& name, int64_t value) {
    auto& attribute = add(name, onnx::AttributeProto::INT);
    attribute.set_i(value);
    return *this;
  }
  OnnxModel& with_number(const std::string& name, float value) {
    add(name, onnx::AttributeProto::FLOAT).set_f(value);
    return *this;
  }
  OnnxModel& with_text(const std::string& name, const std::string& value) {
    add(name, onnx::AttributeProto::STRING).set_s(value);
    return *this;
  }
  OnnxModel& with_texts(const std::string& name, const std::vector<std::string>& values) {
    auto& attribute = add(name, onnx::AttributeProto::STRINGS);
    for (const auto& x : values) attribute.add_strings(x);
    return *this;
  }
  OnnxModel& with_list(const std::string& name, const std::vector<int64_t>& values) {
    auto& attribute = add(name, onnx::AttributeProto::INTS);
    for (const auto x : values) attribute.add_ints(x);
    return *this;
  }

  /// A subgraph: the inputs, constants, nodes and outputs of `body`.
  OnnxModel& with_graph(const std::string& name, const OnnxModel& body) {
    *add(name, onnx::AttributeProto::GRAPH).mutable_g() = body.proto.graph();
    return *this;
  }

  std::string bytes() const { return proto.SerializeAsString(); }

  onnx::ModelProto proto;

private:
  onnx::TensorProto& constant(const std::string& name, std::initializer_list<int64_t> sizes, int type) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const auto size : sizes) tensor.add_dims(size);
    return tensor;
  }
  onnx::AttributeProto& add(const std::string& name, onnx::AttributeProto::AttributeType type) {
    auto& attribute = *graph().mutable_node(graph().node_size() - 1)->add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }
};

/// x -> Conv(conv.weight) -> relu -> y; the start of many tests.
inline OnnxModel small_onnx(int opset = 17) {
  OnnxModel model(opset);
  model.input("x", {-1, 2, 4, 4}).weight("conv.weight", {3, 2, 3, 3}).output("y");
  model.node("Conv", {"x", "conv.weight"}, {"c"}, "/conv/Conv").with_list("kernel_shape", {3, 3});
  model.node("Relu", {"c"}, {"y"}, "/relu/Relu");
  return model;
}

}  // namespace compress::test
