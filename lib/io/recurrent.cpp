#include "io/recurrent.h"

#include "ops/recurrent_layer.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace compress::io {
namespace {

using ops::RecurrentInput;

int64_t gates_of(std::string_view op) {
  return ops::recurrent_gates({.op = std::string(op)});
}

at::Tensor in_order(const at::Tensor& rows, std::initializer_list<int64_t> order) {
  const auto parts = rows.chunk(static_cast<int64_t>(order.size()), 0);
  std::vector<at::Tensor> sorted;
  for (const auto part : order) sorted.push_back(parts[static_cast<size_t>(part)]);
  return at::cat(sorted);
}

/// ONNX writes LSTM's gates as input, output, forget, cell and GRU's as update, reset, new.
at::Tensor reordered(const at::Tensor& rows, int64_t gates, bool to_onnx) {
  if (gates == 4) return to_onnx ? in_order(rows, {0, 3, 1, 2}) : in_order(rows, {0, 2, 3, 1});
  return gates == 3 ? in_order(rows, {1, 0, 2}) : rows;
}

/// The inputs of ONNX's operator that are packed, with the inputs of ours that they hold.
struct Packing {
  size_t onnx_input;
  std::vector<size_t> inputs;
};
const std::vector<Packing>& packings() {
  static const std::vector<Packing> all{{1, {ops::kWeightInput}},
                                        {2, {ops::kWeightHidden}},
                                        {3, {ops::kBiasInput, ops::kBiasHidden}},
                                        {7, {ops::kPeephole}}};
  return all;
}

bool has_any(const Node& node, const Packing& packing) {
  return std::ranges::any_of(packing.inputs, [&](size_t i) { return node.has_input(i); });
}

std::string packed_name(const Node& node, const Packing& packing) {
  std::string name;
  for (const auto i : packing.inputs) {
    if (i != packing.inputs.front() && node.has_input(i)) name += '+';
    if (node.has_input(i)) name += node.inputs[i];
  }
  return name;
}

const Parameter& weight_of(const Graph& graph, const Node& node, size_t i) {
  if (const auto* parameter = graph.find_parameter(node.inputs[i])) return *parameter;
  throw request_error("{}: ONNX needs its weights as constants, but '{}' is computed", ops::describe(node),
                      node.inputs[i]);
}

at::Tensor packed_value(const Graph& graph, const Node& node, const Packing& packing) {
  const auto gates = ops::recurrent_gates(node);
  std::vector<at::Tensor> parts;
  for (const auto i : packing.inputs) {
    const auto& hidden_weight = weight_of(graph, node, ops::kWeightHidden).value;
    const auto value = node.has_input(i) ? weight_of(graph, node, i).value.detach()
                                         : hidden_weight.detach().new_zeros({hidden_weight.size(0)});
    parts.push_back(i == ops::kPeephole ? swap_last_gates(value) : gates_to_onnx(value, gates));
  }
  return at::cat(parts).unsqueeze(0).contiguous();
}

/// Nothing but this input of recurrent layers reads the parameter.
bool only_packed(const Graph& graph, const std::string& parameter, size_t input) {
  if (graph.is_output(parameter)) return false;
  return std::ranges::all_of(graph.consumers(parameter), [&](const Node* node) {
    if (ops::recurrent_gates(*node) == 0) return false;
    for (size_t i = 0; i < node->inputs.size(); ++i)
      if (node->inputs[i] == parameter && i != input) return false;
    return true;
  });
}

void set_activations(DraftNode& onnx, const Node& node) {
  std::vector<std::string> names;
  std::vector<double> alpha, beta;
  for (const auto& function : ops::gate_functions(node, default_activations(node.op))) {
    names.push_back(function.name);
    const auto [has_alpha, has_beta] = ops::gate_function_constants(function.name);
    if (has_alpha) alpha.push_back(function.alpha);
    if (has_beta) beta.push_back(function.beta);
  }
  onnx.attributes.set("activations", names);
  if (!alpha.empty()) onnx.attributes.set("activation_alpha", alpha);
  if (!beta.empty()) onnx.attributes.set("activation_beta", beta);
}

class RecurrentExport {
public:
  RecurrentExport(const Graph& graph, const Node& node, const FileNames& names)
      : graph_(graph), node_(node), names_(names) {
    layer_ = {.name = node.name, .op = node.op, .domain = "", .scope = "", .inputs = {names.of(node.inputs[0])}};
    layer_.inputs.resize(8);
  }

  OnnxPieces run() {
    for (const auto& packing : packings())
      if (has_any(node_, packing)) pack(packing);
    if (node_.has_input(ops::kLengths)) layer_.inputs[4] = names_.of(node_.inputs[ops::kLengths]);
    if (node_.has_input(ops::kInitialHidden)) layer_.inputs[5] = state(ops::kInitialHidden, "initial_h");
    if (node_.has_input(ops::kInitialCell)) layer_.inputs[6] = state(ops::kInitialCell, "initial_c");
    while (layer_.inputs.back().empty()) layer_.inputs.pop_back();
    set_attributes();
    for (int k = 0; k < node_.outputs; ++k) write_output(k);
    pieces_.nodes.insert(pieces_.nodes.begin() + before_, layer_);
    return std::move(pieces_);
  }

private:
  void pack(const Packing& packing) {
    auto& input = layer_.inputs[packing.onnx_input];
    input = packed_name(node_, packing);
    const bool own = std::ranges::all_of(
        packing.inputs, [&](size_t i) { return !node_.has_input(i) || only_packed(graph_, node_.inputs[i], i); });
    if (own) return;  // packed_parameters() has it
    input = names_.fresh(input + ".packed");
    pieces_.constants[input] = packed_value(graph_, node_, packing);
  }

  void set_attributes() {
    layer_.attributes = node_.attributes;
    layer_.attributes.set("hidden_size", weight_of(graph_, node_, ops::kWeightHidden).value.size(1));
    if (node_.attributes.has("activations")) set_activations(layer_, node_);
  }

  std::string axes_constant(const std::string& what, int64_t axis) {
    const auto name = names_.fresh(node_.name + "." + what + "_axes");
    pieces_.constants[name] = at::tensor({axis}, at::kLong);
    return name;
  }

  /// [batch, hidden] -> [1, batch, hidden]
  std::string state(size_t input, const std::string& what) {
    const auto name = names_.fresh(node_.name + "." + what);
    pieces_.nodes.push_back({.name = node_.name + "/" + what,
                             .op = "Unsqueeze",
                             .inputs = {names_.of(node_.inputs[input]), axes_constant(what, 0)},
                             .outputs = {name}});
    ++before_;
    return name;
  }

  /// Y has an axis of directions behind the time, the states in front.
  void write_output(int k) {
    static constexpr const char* kNames[] = {"y", "h", "c"};
    const auto value = node_.output(k);
    if (graph_.consumers(value).empty() && !graph_.is_output(value)) {
      layer_.outputs.push_back("");
      return;
    }
    const std::string what = kNames[k];
    layer_.outputs.push_back(names_.fresh(node_.name + "." + what));
    pieces_.nodes.push_back({.name = node_.name + "/" + what,
                             .op = "Squeeze",
                             .inputs = {layer_.outputs.back(), axes_constant(what, k == 0 ? 1 : 0)},
                             .outputs = {names_.of(value)}});
  }

  const Graph& graph_;
  const Node& node_;
  const FileNames& names_;
  DraftNode layer_;
  OnnxPieces pieces_;
  int64_t before_ = 0;  ///< nodes in front of the layer
};

/// A shape read off the value that has the batch, as ONNX spells it.
OnnxPieces expand_batch_pieces(const Node& node, const FileNames& names, int64_t rank) {
  OnnxPieces pieces;
  const auto constant = [&](const std::string& what, const std::vector<int64_t>& list) {
    const auto name = names.fresh(node.name + "." + what);
    pieces.constants[name] = at::tensor(list, at::kLong);
    return name;
  };
  const auto add = [&](const std::string& what, const char* op, std::vector<std::string> inputs) -> DraftNode& {
    pieces.nodes.push_back({.name = node.name + "/" + what,
                            .op = op,
                            .inputs = std::move(inputs),
                            .outputs = {names.fresh(node.name + "." + what)}});
    return pieces.nodes.back();
  };
  const auto axis = node.attributes.integer("axis", 0);
  const auto shape = add("shape", "Shape", {names.of(node.inputs[1])}).outputs[0];
  auto size = add("batch", "Gather", {shape, constant("first", {0})}).outputs[0];
  if (rank > 1) {
    std::vector<std::string> parts;
    if (axis > 0) parts.push_back(constant("before", std::vector<int64_t>(static_cast<size_t>(axis), 1)));
    parts.push_back(size);
    if (axis + 1 < rank)
      parts.push_back(constant("behind", std::vector<int64_t>(static_cast<size_t>(rank - axis - 1), 1)));
    auto& concat = add("sizes", "Concat", parts);
    concat.attributes.set("axis", int64_t{0});
    size = concat.outputs[0];
  }
  pieces.nodes.push_back({.name = node.name,
                          .op = "Expand",
                          .inputs = {names.of(node.inputs[0]), size},
                          .outputs = {names.of(node.name)}});
  return pieces;
}

}  // namespace

bool is_onnx_recurrent(const DraftNode& node) {
  return node.domain.empty() && gates_of(node.op) > 0;
}

std::string default_activations(std::string_view op) {
  return op == "LSTM" ? "Sigmoid,Tanh,Tanh" : op == "GRU" ? "Sigmoid,Tanh" : "Tanh";
}

at::Tensor gates_from_onnx(const at::Tensor& packed, int64_t gates) {
  return reordered(packed, gates, false);
}

at::Tensor gates_to_onnx(const at::Tensor& rows, int64_t gates) {
  return reordered(rows, gates, true);
}

at::Tensor swap_last_gates(const at::Tensor& peephole) {
  return in_order(peephole, {0, 2, 1});
}

std::map<std::string, PackedTensor, std::less<>> packed_parameters(const Graph& graph) {
  std::map<std::string, PackedTensor, std::less<>> packed;
  for (const Node& node : graph.nodes()) {
    if (ops::recurrent_gates(node) == 0) continue;
    for (const auto& packing : packings()) {
      const bool own = std::ranges::all_of(packing.inputs, [&](size_t i) {
        return !node.has_input(i) || (graph.find_parameter(node.inputs[i]) && only_packed(graph, node.inputs[i], i));
      });
      if (!own || !has_any(node, packing)) continue;
      const auto name = packed_name(node, packing);
      bool holds = true;
      for (const auto i : packing.inputs)
        if (node.has_input(i) && packed.try_emplace(node.inputs[i], PackedTensor{.name = name}).second)
          if (std::exchange(holds, false)) packed[node.inputs[i]].value = packed_value(graph, node, packing);
    }
  }
  return packed;
}

bool has_onnx_pieces(const Node& node) {
  return ops::recurrent_gates(node) > 0 || node.op == "ExpandBatch";
}

OnnxPieces onnx_pieces(const Graph& graph, const Node& node, const FileNames& names) {
  if (node.op != "ExpandBatch") return RecurrentExport(graph, node, names).run();
  const auto& data = graph.parameter(node.inputs[0]);
  return expand_batch_pieces(node, names, data.value.dim());
}

}  // namespace compress::io
