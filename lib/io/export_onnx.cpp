#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "io/constant_operators.h"
#include "io/draft.h"
#include "io/onnx.h"
#include "io/onnx_tensor.h"
#include "io/opsets.h"
#include "io/own_record.h"
#include "io/recurrent.h"
#include "ops/op.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>

namespace compress::io {
namespace {

constexpr int kOldestExportOpset = 13;
constexpr const char* kOwnDomain = "compress";

/// The IR version that came with each opset (https://onnx.ai/onnx/repo-docs/Versioning.html); 17 and older go with 8,
/// so that older programs can read them.
int ir_version(int opset) {
  constexpr std::pair<int, int> kVersions[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}};
  for (const auto& [since, version] : kVersions)
    if (opset >= since) return version;
  return 7;
}

using Type = ops::AttributeSpec::Type;

const ops::AttributeSpec& attribute_spec(const ops::Op& op, std::string_view name) {
  return *std::ranges::find(op.attributes, name, &ops::AttributeSpec::name);
}

void write_attribute(onnx::NodeProto& proto, const Node& node, const ops::AttributeSpec& spec) {
  auto& attribute = *proto.add_attribute();
  attribute.set_name(std::string(spec.name));
  switch (spec.type) {
  case Type::integer:
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(node.attributes.integer(spec.name, 0));
    break;
  case Type::number:
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(static_cast<float>(node.attributes.number(spec.name, 0)));
    break;
  case Type::text:
    attribute.set_type(onnx::AttributeProto::STRING);
    attribute.set_s(node.attributes.text(spec.name, ""));
    break;
  case Type::integers:
    attribute.set_type(onnx::AttributeProto::INTS);
    for (const auto x : node.attributes.integers(spec.name, {})) attribute.add_ints(x);
    break;
  case Type::numbers:
    attribute.set_type(onnx::AttributeProto::FLOATS);
    for (const auto x : node.attributes.numbers(spec.name, {})) attribute.add_floats(static_cast<float>(x));
    break;
  }
}

/// An attribute of ONNX's own form, of the type that its value has.
void write_value(onnx::AttributeProto& attribute, const std::string& name, const Attribute& value) {
  using onnx::AttributeProto;
  attribute.set_name(name);
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    attribute.set_type(AttributeProto::INT);
    attribute.set_i(*integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    attribute.set_type(AttributeProto::FLOAT);
    attribute.set_f(static_cast<float>(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    attribute.set_type(AttributeProto::STRING);
    attribute.set_s(*text);
  } else if (const auto* numbers = std::get_if<std::vector<double>>(&value)) {
    attribute.set_type(AttributeProto::FLOATS);
    for (const auto x : *numbers) attribute.add_floats(static_cast<float>(x));
  } else if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    attribute.set_type(AttributeProto::STRINGS);
    for (const auto& x : *texts) attribute.add_strings(x);
  }
}

/// The attribute as the tensor that ONNX wants as an input.
at::Tensor attribute_tensor(const Node& node,
                            const ops::AttributeSpec& spec,
                            const ops::ConstantInput& input,
                            at::ScalarType type) {
  const bool whole = spec.type == Type::integer || spec.type == Type::integers;
  const bool one = spec.type == Type::integer || spec.type == Type::number;
  const auto& attributes = node.attributes;
  auto tensor =
      whole ? integer_list(one ? std::vector{attributes.integer(spec.name, 0)} : attributes.integers(spec.name, {}))
            : number_list(one ? std::vector{attributes.number(spec.name, 0)} : attributes.numbers(spec.name, {}));
  if (input.scalar) tensor = tensor.reshape({});
  return tensor.to(input.like_first_input ? type : whole ? at::kLong : at::kFloat);
}

/// The file beside a model that holds its larger tensors, each at a multiple of 64 bytes.
class ExternalData {
public:
  explicit ExternalData(std::string location) : location_(std::move(location)) {}

  void add(onnx::TensorProto& proto, const std::string& name, const at::Tensor& tensor, int bits) {
    constexpr size_t kAlignment = 64;
    const auto plain = bits == 4 ? packed_four_bits(name, tensor) : tensor.detach().to(at::kCPU).contiguous();
    bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment, '\0');
    write_tensor_header(proto, name, tensor);
    if (bits == 4) proto.set_data_type(four_bit_type(tensor.scalar_type()));
    entry(proto, "location", location_);
    entry(proto, "offset", std::to_string(bytes_.size()));
    entry(proto, "length", std::to_string(plain.nbytes()));
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    bytes_.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  }

  const std::string& bytes() const { return bytes_; }

private:
  static void entry(onnx::TensorProto& proto, const char* key, std::string value) {
    auto& pair = *proto.add_external_data();
    pair.set_key(key);
    pair.set_value(std::move(value));
  }

  std::string location_, bytes_;
};

class Exporter {
public:
  /// `data` takes the larger parameters; null: they stay in the model.
  Exporter(const Graph& graph, const ExportOptions& options, ExternalData* data)
      : graph_(graph), options_(options), opset_(options.opset.value_or(usual_opset(graph))), data_(data),
        first_(ops::infer(graph, 2)), second_(ops::infer(graph, 3)) {}

  onnx::ModelProto run() {
    model_.set_ir_version(ir_version(opset_));
    model_.set_producer_name("compress");
    auto& main = *model_.add_opset_import();
    main.set_domain("");
    main.set_version(opset_);
    model_.mutable_graph()->set_name(graph_.name);
    write_metadata();
    name_values();
    write_values();
    if (!options_.own_operators) {
      packed_ = packed_parameters(graph_);
      find_four_bits();
    }
    for (const auto& parameter : graph_.parameters()) write_parameter(parameter);
    for (const Node& node : graph_.nodes()) write_node(node);
    write_renamed_outputs();
    return std::move(model_);
  }

private:
  void write_parameter(const Parameter& parameter) {
    if (options_.elsewhere.contains(parameter.name))
      return write_tensor_elsewhere(*model_.mutable_graph()->add_initializer(), parameter.name, parameter.value);
    const auto packed = packed_.find(parameter.name);
    if (packed == packed_.end()) return write_initializer(parameter.name, parameter.value);
    if (packed->second.value.defined()) write_initializer(packed->second.name, packed->second.value);
  }

  void write_initializer(const std::string& name, const at::Tensor& value) {
    constexpr size_t kSmall = 1024;
    auto& proto = *model_.mutable_graph()->add_initializer();
    const bool four_bits = four_bits_.contains(name);
    if (data_ && value.nbytes() >= kSmall)
      data_->add(proto, name, value, four_bits ? 4 : 8);
    else if (four_bits)
      write_four_bits(proto, name, value);
    else
      write_tensor(proto, name, value);
  }

  /// The quantisers' attribute `bits` is ours; in ONNX the types of their tensors say it.
  void find_four_bits() {
    for (const Node& node : graph_.nodes())
      if (says_four_bits(node))
        for (const size_t i : {0, 2})
          if (node.has_input(i) && graph_.find_parameter(node.inputs[i])) four_bits_.insert(node.inputs[i]);
  }

  static bool says_four_bits(const Node& node) {
    const bool quantizer = node.op == "QuantizeLinear" || node.op == "DequantizeLinear";
    return quantizer && node.attributes.integer("bits", 8) == 4;
  }

  /// The attributes as a file has them.
  Attributes written_attributes(const Node& node) const {
    auto attributes = node.attributes;
    if (!options_.own_operators && node.op == "BatchNormalization") attributes.erase("frozen");  // says how to train
    if (options_.own_operators || !says_four_bits(node)) return attributes;
    attributes.erase("bits");
    if (const auto type = attributes.integer("output_dtype", 0); type != 0 && node.op == "QuantizeLinear")
      attributes.set("output_dtype", int64_t{type == onnx::TensorProto::UINT8 ? kUInt4 : kInt4});
    return attributes;
  }

  void write_metadata() {
    auto metadata = graph_.metadata;
    metadata[kOwnRecordKey] = print_own_record(graph_);
    for (const auto& [key, value] : metadata) {
      auto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
  }

  std::string free_name(const std::string& base) {
    auto name = base;
    for (int k = 1; !taken_.insert(name).second; ++k) name = base + "_" + std::to_string(k);
    return name;
  }

  /// An output's value bears the outside's name; other values their own, as far as those are free.
  void name_values() {
    for (const auto& input : graph_.inputs) taken_.insert(values_[input.name] = input.name);
    for (const auto& parameter : graph_.parameters()) taken_.insert(values_[parameter.name] = parameter.name);
    for (const auto& output : graph_.outputs) {
      const bool clashes = !taken_.insert(output.name).second;
      if (clashes && output.name != output.value)
        throw request_error("output '{}' has the name of another input or parameter", output.name)
            .hint("rename the output");
    }
    for (const auto& output : graph_.outputs)
      if (graph_.producer(output.value) && !values_.contains(output.value)) values_[output.value] = output.name;
    for (const Node& node : graph_.nodes())
      for (int k = 0; k < node.outputs; ++k)
        if (!values_.contains(node.output(k))) values_[node.output(k)] = free_name(node.output(k));
  }

  void write_shape(onnx::TypeProto& proto, at::ScalarType type, const Shape& first, const Shape& second) {
    auto& tensor = *proto.mutable_tensor_type();
    tensor.set_elem_type(onnx_type(type));
    auto& shape = *tensor.mutable_shape();
    for (size_t i = 0; i < first.size(); ++i) {
      auto& dim = *shape.add_dim();
      if (first[i] == second[i] && first[i] != kBatch)
        dim.set_dim_value(first[i]);
      else if (first[i] == kBatch || (first[i] == 2 && second[i] == 3))
        dim.set_dim_param("N");
    }
  }

  void write_values() {
    for (const auto& input : graph_.inputs) {
      auto& proto = *model_.mutable_graph()->add_input();
      proto.set_name(input.name);
      write_shape(*proto.mutable_type(), input.type, input.shape, input.shape);
    }
    for (const auto& output : graph_.outputs) {
      auto& proto = *model_.mutable_graph()->add_output();
      proto.set_name(output.name);
      const auto& info = first_.at(output.value);
      write_shape(*proto.mutable_type(), info.type, info.shape, second_.at(output.value).shape);
    }
  }

  /// A node that ONNX spells as several.
  void write_pieces(const Node& node) {
    const auto pieces = onnx_pieces(graph_, node,
                                    {.of = [&](const std::string& value) { return values_.at(value); },
                                     .fresh = [&](const std::string& base) { return free_name(base); }});
    for (const auto& [name, value] : pieces.constants) write_initializer(name, value);
    for (const auto& piece : pieces.nodes) {
      auto& proto = *model_.mutable_graph()->add_node();
      proto.set_name(piece.name);
      proto.set_op_type(piece.op);
      for (const auto& input : piece.inputs) proto.add_input(input);
      for (const auto& output : piece.outputs) proto.add_output(output);
      for (const auto& [name, value] : piece.attributes) write_value(*proto.add_attribute(), name, value);
    }
  }

  void write_node(const Node& node) {
    const auto& op = ops::op_of(node);
    if (!options_.own_operators && has_onnx_pieces(node)) return write_pieces(node);
    check_opset(node);
    auto& proto = *model_.mutable_graph()->add_node();
    proto.set_name(node.name);
    proto.set_op_type(node.op);
    if (!op.domain.empty()) use_own_domain(proto, node);
    std::vector<std::string> inputs;
    for (const auto& input : node.inputs) inputs.push_back(input.empty() ? "" : values_.at(input));
    const Node written{.name = node.name, .op = node.op, .attributes = written_attributes(node)};
    for (const auto& [name, value] : written.attributes) {
      const auto& spec = attribute_spec(op, name);
      const auto constant = std::ranges::find(op.constant_inputs, name, &ops::ConstantInput::attribute);
      if (constant == op.constant_inputs.end() || constant->since_opset > opset_) {
        write_attribute(proto, written, spec);
        continue;
      }
      const auto index = static_cast<size_t>(constant->index);
      if (inputs.size() <= index) inputs.resize(index + 1);
      inputs[index] = free_name(node.name + "." + name);
      const auto type = node.has_input(0) ? first_.at(node.inputs[0]).type : at::kFloat;
      write_tensor(*model_.mutable_graph()->add_initializer(), inputs[index],
                   attribute_tensor(node, spec, *constant, type));
    }
    if (node.op == "Split" && opset_ >= 18 && !node.attributes.has("split")) {
      auto& count = *proto.add_attribute();
      count.set_name("num_outputs");
      count.set_type(onnx::AttributeProto::INT);
      count.set_i(node.outputs);
    }
    for (const auto& input : inputs) proto.add_input(input);
    for (int k = 0; k < node.outputs; ++k) proto.add_output(values_.at(node.output(k)));
  }

  void check_opset(const Node& node) const {
    check_type_opset(graph_, node, opset_);
    check_attribute_opsets(node, opset_);
    check_operator_opset(node, opset_);
  }

  void use_own_domain(onnx::NodeProto& proto, const Node& node) {
    if (!options_.own_operators)
      throw request_error("{} has no form in ONNX", ops::describe(node))
          .hint("export the model as onnx-qdq, which lowers it to ONNX's operators");
    proto.set_domain(kOwnDomain);
    if (model_.opset_import_size() > 1) return;
    auto& own = *model_.add_opset_import();
    own.set_domain(kOwnDomain);
    own.set_version(1);
  }

  /// Inputs, parameters and values that are several outputs reach the further ones through an Identity.
  void write_renamed_outputs() {
    for (const auto& output : graph_.outputs) {
      if (values_.at(output.value) == output.name) continue;
      auto& proto = *model_.mutable_graph()->add_node();
      proto.set_name(kOutputPrefix + output.name);
      proto.set_op_type("Identity");
      proto.add_input(values_.at(output.value));
      proto.add_output(output.name);
    }
  }

  const Graph& graph_;
  const ExportOptions& options_;
  const int opset_;
  ExternalData* const data_;
  const ops::Infos first_, second_;
  onnx::ModelProto model_;
  std::set<std::string> taken_;
  std::map<std::string, std::string> values_;
  std::map<std::string, PackedTensor, std::less<>> packed_;
  std::set<std::string> four_bits_;  ///< parameters that the file has as int4 or uint4
};

onnx::ModelProto to_model(const Graph& graph, const ExportOptions& options, ExternalData* data) {
  if (options.opset && (*options.opset < kOldestExportOpset || *options.opset > kNewestOpset))
    throw request_error("cannot export ONNX opset {}", *options.opset)
        .hint(fmt::format("allowed are {} to {}", kOldestExportOpset, kNewestOpset));
  return within("exporting the graph '" + graph.name + "'", [&] {
    ops::verify(graph);
    return Exporter(graph, options, data).run();
  });
}

int64_t tensor_bytes(const Graph& graph, const ExportOptions& options) {
  int64_t bytes = 0;
  for (const auto& parameter : graph.parameters())
    if (!options.elsewhere.contains(parameter.name)) bytes += static_cast<int64_t>(parameter.value.nbytes());
  return bytes;
}

std::string serialize(const onnx::ModelProto& model) {
  std::string bytes;
  if (!model.SerializeToString(&bytes)) throw run_error("the model cannot be written as ONNX: it is too large");
  return bytes;
}

}  // namespace

std::filesystem::path external_data_of(const std::filesystem::path& path) {
  auto data = path;
  return data += ".data";
}

std::string export_onnx_bytes(const Graph& graph, ExportOptions options) {
  if (const auto bytes = tensor_bytes(graph, options); bytes > options.largest || options.external_data)
    throw request_error("the model has {} of tensors, one ONNX file can hold {}", human_bytes(bytes),
                        human_bytes(options.external_data ? 0 : options.largest))
        .hint("export it to a file: the tensors then go beside it");
  return serialize(to_model(graph, options, nullptr));
}

void export_onnx(const Graph& graph, const std::filesystem::path& path, ExportOptions options) {
  if (tensor_bytes(graph, options) <= options.largest && !options.external_data)
    return write_file(path, serialize(to_model(graph, options, nullptr)));
  const auto place = external_data_of(path);
  ExternalData data(place.filename().string());
  const auto model = serialize(to_model(graph, options, &data));
  // An older model would read the new tensors as its own: it goes first, the new one comes last.
  std::error_code ignored;
  if (std::filesystem::is_regular_file(path, ignored)) std::filesystem::remove(path, ignored);
  write_file(place, data.bytes());
  try {
    write_file(path, model);
  } catch (...) {
    std::filesystem::remove(place, ignored);
    throw;
  }
}

}  // namespace compress::io
