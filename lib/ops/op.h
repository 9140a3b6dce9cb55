#pragma once

#include "graph/graph.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Everything the project knows about operators: one file per operator or family, one Op per operator.
namespace compress::ops {

enum class Mode { eval, train };

/// One call of a kernel.
struct Call {
  std::span<const at::Tensor* const> inputs;  ///< null: absent
  std::span<at::Tensor> outputs;
  Mode mode = Mode::eval;

  const at::Tensor& in(size_t i) const { return *inputs[i]; }
  bool has(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  /// The input, or an undefined tensor when absent (what ATen takes for an optional).
  at::Tensor in_or_none(size_t i) const { return has(i) ? *inputs[i] : at::Tensor(); }
  at::Tensor& out(size_t k = 0) { return outputs[k]; }
};

/// A node's computation with its attributes already read. Differentiable where Op::gradient says so.
using Kernel = std::function<void(Call&)>;

/// Shape and element type of a value; every size known (the caller binds the batch).
struct ValueInfo {
  Shape shape;
  at::ScalarType type = at::kFloat;
  bool operator==(const ValueInfo&) const = default;
};

/// What shape inference gives an operator.
struct InferCall {
  const Node& node;
  std::span<const ValueInfo> inputs;  ///< absent inputs have type Undefined
  bool has(size_t i) const { return i < inputs.size() && inputs[i].type != at::ScalarType::Undefined; }
  const ValueInfo& in(size_t i) const { return inputs[i]; }
  const Shape& shape(size_t i) const { return inputs[i].shape; }
};
using Infer = std::vector<ValueInfo> (*)(const InferCall&);

/// Multiply-accumulates of one call.
using Macs = int64_t (*)(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo> outputs);

enum class Gradient {
  yes,       ///< differentiable (almost everywhere)
  straight,  ///< straight-through estimate
  none       ///< integers, shapes, indices
};

/// How a quantiser treats the operator.
enum class Quantization {
  none,        ///< stays in floating point
  weighted,    ///< inputs and weights are quantised, the sum is exact (Conv, Gemm, MatMul)
  arithmetic,  ///< each input and the output have a grid of their own (Add, Mul, pooling averages, Sigmoid, ...)
  activation,  ///< as arithmetic, but melts into the producer when it follows a weighted operator or Add (Relu, Clip)
  same_grid,   ///< output values are input values: input and output share one grid (MaxPool, Reshape, Slice, Concat,
               ///< ...)
  quantizer    ///< is itself a quantiser
};

/// One attribute that an operator takes.
struct AttributeSpec {
  enum class Type { integer, number, text, integers, numbers };
  std::string_view name;
  Type type;
  bool required = false;
  std::string_view values = {};  ///< text: the allowed words, separated by '|'
};

/// An input that ONNX passes as a constant tensor (from some opset on) and the graph keeps as an attribute of this
/// name.
struct ConstantInput {
  int index;
  std::string_view attribute;
  int since_opset = 1;            ///< before that opset ONNX has it as an attribute of the same name
  bool scalar = false;            ///< one number (Clip's min) rather than a list
  bool like_first_input = false;  ///< the tensor has the first input's element type; else int64 or 32-bit float
};

class ChannelFlow;
class Resize;

/// What a fused convolution of LibTorch calls this activation ("relu", "hardtanh", "none" ...), with its scalars.
struct FusedActivation {
  std::string name;
  std::vector<double> scalars;
  std::string algorithm = {};
};

struct Op {
  std::string_view name;         ///< ONNX's operator type
  std::string_view doc;          ///< one line
  std::string_view domain = {};  ///< "" is ONNX's own; "compress" ours
  int min_inputs = 1;
  int max_inputs = 1;  ///< -1: any number
  int min_outputs = 1;
  int max_outputs = 1;
  int since_opset = 1;  ///< first opset in which it exists in this form
  /// The output's shape follows from values, not from shapes: `infer` gives the largest it may be.
  bool data_dependent = false;
  std::vector<AttributeSpec> attributes = {};
  std::vector<ConstantInput> constant_inputs = {};

  Kernel (*kernel)(const Node&) = nullptr;
  Gradient gradient = Gradient::yes;
  Infer infer = nullptr;
  Macs macs = nullptr;  ///< no_macs when it has none
  void (*channels)(ChannelFlow&) =
      nullptr;  ///< how channels run through it (ops/channels.h); blocked: they cannot be followed
  void (*resize)(Node&, const Resize&) =
      nullptr;  ///< adapts attributes after channels were removed; keep_attributes when none depends on them
  Quantization quantization = Quantization::none;
  int weight_input = -1;  ///< weighted operators: which input is the weight
  int bias_input = -1;
  /// Output-channel axis of the weight (may depend on attributes); null when there is no weight.
  int (*weight_axis)(const Node&) = nullptr;
  /// Null: cannot melt into a convolution.
  std::optional<FusedActivation> (*fused)(const Node&) = nullptr;
  /// Brings an imported node to the canonical form (Gemm with transB=1, explicit Pad, ...); null when import leaves it
  /// as it is.
  void (*normalize)(Graph&, Node&) = nullptr;
};

/// The operators that one file defines.
struct OpFamily {
  std::vector<Op> ops;
};

/// Null when there is no such operator.
const Op* find_op(std::string_view name);
/// Throws a request error: node, operator, nearest supported name, and what to do.
const Op& op_of(const Node& node);
/// By name, ONNX's before ours.
std::span<const Op* const> all_ops();
/// "node 'conv1' (Conv)", as messages call it.
std::string describe(const Node& node);
/// A Markdown table: which of the facets above each operator has (docs/operators.md).
std::string coverage_table();

int64_t no_macs(const Node&, std::span<const ValueInfo>, std::span<const ValueInfo>);
void keep_attributes(Node&, const Resize&);

/// Checks one node against its Op: arity, attribute names and types, words. Throws a request error naming the node.
void check_node(const Node& node);
/// verify_structure plus check_node for every node plus shape inference with a batch of 2.
void verify(const Graph& graph);

/// Shapes and types of every value and parameter, by name, for a batch of `batch`. Throws a request error naming the
/// node whose inputs do not fit.
class Infos {
public:
  const ValueInfo& at(std::string_view name) const;
  const ValueInfo* find(std::string_view name) const;
  void set(std::string name, ValueInfo info);

private:
  std::map<std::string, ValueInfo, std::less<>> infos_;
};
/// With `stop`: only the nodes before it (import, where later nodes are not canonical yet).
Infos infer(const Graph& graph, int64_t batch = 1, const Node* stop = nullptr);
/// Infos of the node's inputs, absent ones as Undefined.
std::vector<ValueInfo> input_infos(const Node& node, const Infos& infos);
std::vector<ValueInfo> output_infos(const Node& node, const Infos& infos);

}  // namespace compress::ops
