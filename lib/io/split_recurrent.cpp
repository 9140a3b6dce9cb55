// See folding.h: ONNX's recurrent operators become one node for each direction.

#include "core/error.h"
#include "core/text.h"
#include "io/folding.h"
#include "io/recurrent.h"
#include "ops/recurrent_layer.h"

#include <algorithm>

namespace compress::io {

/// A layer as the file has it.
struct OnnxLayer {
  int64_t gates, directions, hidden;
  std::vector<bool> reversed;  ///< by direction
  bool batch_first;
  bool own;  ///< we wrote it
};

namespace {

enum OnnxInput : size_t { kX, kW, kR, kB, kLengthsOfX, kH, kC, kP };

const Known* input_of(const DraftNode& node, const std::vector<Known>& inputs, size_t i) {
  return node.has_input(i) ? &inputs[i] : nullptr;
}

std::vector<bool> directions_of(const DraftNode& node) {
  const auto words = node.attributes.text("direction", "forward");
  if (words == "forward") return {false};
  if (words == "reverse") return {true};
  if (words == "bidirectional") return {false, true};
  throw request_error("{}: attribute 'direction' is '{}'", node.str(), words)
      .hint("allowed are forward, reverse and bidirectional");
}

void require_constant(const DraftNode& node, const std::vector<Known>& inputs, size_t i, const Shape& shape) {
  const auto* input = input_of(node, inputs, i);
  if (!input) return;
  if (!input->is_constant())
    throw request_error("{}: input {} must be a constant, but it is computed from the network's inputs", node.str(), i)
        .hint("weights that another network computes are not supported");
  if (input->info[0].shape != shape)
    throw request_error("{}: input {} has shape {}, but the layer needs {}", node.str(), i,
                        shape_text(input->info[0].shape), shape_text(shape));
}

OnnxLayer read_layer(const DraftNode& node, const std::vector<Known>& inputs) {
  if (!node.has_input(kX) || !node.has_input(kW) || !node.has_input(kR))
    throw request_error("{} needs a sequence and two weights", node.str());
  const auto gates = ops::recurrent_gates({.op = node.op});
  const auto &recurrent = inputs[kR].info[0].shape, &x = inputs[kX].info[0].shape;
  if (recurrent.size() != 3 || x.size() != 3)
    throw request_error("{}: the sequence has shape {} and the recurrent weight {}: both need three axes", node.str(),
                        shape_text(x), shape_text(recurrent));
  const auto reversed = directions_of(node);
  const auto directions = std::ssize(reversed), hidden = recurrent[2];
  if (hidden <= 0) throw request_error("{}: the recurrent weight has no hidden units", node.str());
  if (const auto stated = node.attributes.integer("hidden_size", hidden); stated != hidden)
    throw request_error("{}: attribute 'hidden_size' is {}, but the recurrent weight has shape {}", node.str(), stated,
                        shape_text(recurrent));
  require_constant(node, inputs, kW, {directions, gates * hidden, x[2]});
  require_constant(node, inputs, kR, {directions, gates * hidden, hidden});
  require_constant(node, inputs, kB, {directions, 2 * gates * hidden});
  require_constant(node, inputs, kP, {directions, 3 * hidden});
  return {.gates = gates,
          .directions = directions,
          .hidden = hidden,
          .reversed = reversed,
          .batch_first = node.attributes.integer("layout", 0) != 0,
          .own = false};
}

/// The names that an initialiser's name joins, when they are as many as it holds parts.
std::string part_of_name(const std::string& joined, size_t parts, size_t part) {
  const auto names = split(joined, '+');
  return names.size() == parts ? names[part] : "";
}

bool is_zero(const Known& known) {
  return known.is_known() &&
         std::ranges::none_of(known.value, [](const at::Tensor& x) { return x.count_nonzero().item<int64_t>() > 0; });
}

/// "f,g,h" of one direction with their constants; "" when it is the default.
std::string activations_of(const DraftNode& node, size_t direction) {
  const auto* given = node.attributes.find("activations");
  if (!given) return "";
  const auto* names = std::get_if<std::vector<std::string>>(given);
  const auto defaults = default_activations(node.op);
  const auto count = split(defaults, ',').size();
  if (!names || names->size() != count * directions_of(node).size())
    throw request_error("{}: attribute 'activations' must name {} functions for each direction", node.str(), count);
  auto alpha = node.attributes.numbers("activation_alpha", {}), beta = node.attributes.numbers("activation_beta", {});
  std::string text;
  for (size_t k = 0; k < names->size(); ++k) {
    const auto [takes_alpha, takes_beta] = ops::gate_function_constants((*names)[k]);
    std::vector<double> constants;
    if (takes_alpha && !alpha.empty()) constants.push_back(alpha.front());
    if (takes_beta && !beta.empty() && !constants.empty()) constants.push_back(beta.front());
    if (takes_alpha && !alpha.empty()) alpha.erase(alpha.begin());
    if (takes_beta && !beta.empty()) beta.erase(beta.begin());
    if (k / count == direction) text += (text.empty() ? "" : ",") + ops::gate_function_text((*names)[k], constants);
  }
  return text == defaults ? "" : text;
}

Attributes attributes_of(const DraftNode& node, const OnnxLayer& layer, size_t direction) {
  static constexpr std::string_view kRead[] = {"activations", "activation_alpha", "activation_beta", "direction",
                                               "hidden_size", "layout",           "output_sequence"};
  Attributes attributes;
  for (const auto& [name, value] : node.attributes) {
    const auto* number = std::get_if<int64_t>(&value);
    const bool off = number && *number == 0;  // input_forget, linear_before_reset
    if (std::ranges::find(kRead, name) == std::end(kRead) && !off) attributes.set(name, value);
  }
  if (attributes.number("clip", 1) == 0) attributes.erase("clip");
  if (const auto text = activations_of(node, direction); !text.empty()) attributes.set("activations", text);
  if (layer.reversed[direction]) attributes.set("direction", std::string("reverse"));
  return attributes;
}

/// What the layer is called: the module that the exporter recorded, what the weight's name begins with, the node.
std::string stem_of_layer(const DraftNode& node, const std::string& weight) {
  if (!node.scope.empty() && node.scope != "?") return node.scope;
  if (const auto dot = weight.rfind('.'); dot != std::string::npos && dot > 0) return weight.substr(0, dot);
  return node.name.empty() ? to_lower(node.op) : node.name;
}

Attributes list_attribute(const char* name, std::vector<int64_t> list) {
  Attributes attributes;
  attributes.set(name, std::move(list));
  return attributes;
}

}  // namespace

/// One direction of a layer on its way into the graph.
struct Folding::Recurrent {
  const DraftNode& node;
  const std::vector<Known>& inputs;
  OnnxLayer layer;
  std::string stem;  ///< of parameters that have lost their names, "lstm"
  int number;        ///< of the layer in its module
  size_t direction;

  /// "lstm.weight_ih_l0_reverse"
  std::string usual_name(const char* role) const {
    return fmt::format("{}.{}_l{}{}", stem, role, number, layer.reversed[direction] ? "_reverse" : "");
  }
};

/// A step in front of or behind a layer.
std::string Folding::add_step(
    const DraftNode& node, const char* op, std::vector<std::string> inputs, Attributes attributes, std::string output) {
  DraftNode step{.op = op,
                 .scope = node.scope,
                 .inputs = std::move(inputs),
                 .attributes = std::move(attributes),
                 .opset = node.opset};
  if (output.empty()) output = fresh(node);
  step.outputs = {output};
  reads_.insert(output);
  visit(std::move(step), nullptr);
  return output;
}

/// A constant made from part of an initialiser; the same part of the same one is one constant.
std::string Folding::know_part(const Known& whole,
                               const std::string& key,
                               std::array<at::Tensor, 2> values,
                               const std::string& name) {
  auto& value = parts_[key];
  if (!value.empty()) return value;
  value = key;
  for (auto& tensor : values) tensor = tensor.contiguous();
  know_values(value, std::move(values), name);
  derived_[whole.name].push_back(value);
  return value;
}

std::string Folding::recurrent_weight(const Recurrent& r, size_t input, size_t half, const char* role) {
  const auto* whole = input_of(r.node, r.inputs, input);
  if (!whole) return "";
  const size_t halves = input == kB ? 2 : 1;
  auto name = part_of_name(whole->name, halves * static_cast<size_t>(r.layer.directions), halves * r.direction + half);
  const auto rows = whole->value[0].select(0, static_cast<int64_t>(r.direction));
  auto part = rows.chunk(static_cast<int64_t>(halves), 0)[half];
  if (!draft_.own && name.find(role) == std::string::npos) name.clear();  // not what PyTorch calls it
  const bool was_absent = draft_.own && name.empty() && halves == 2 && part.count_nonzero().item<int64_t>() == 0;
  if (was_absent) return "";
  part = input == kP ? swap_last_gates(part) : gates_from_onnx(part, r.layer.gates);
  if (name.empty()) name = r.usual_name(role);
  return know_part(*whole, fmt::format("{}%{}/{}", r.node.inputs[input], role, r.direction), {part, part}, name);
}

/// [directions, batch, hidden] -> [batch, hidden]; a state of zeros is no state.
std::string Folding::recurrent_state(const Recurrent& r, size_t input) {
  const auto* whole = input_of(r.node, r.inputs, input);
  if (!whole || is_zero(*whole)) return "";
  const int64_t axis = r.layer.batch_first ? 1 : 0, direction = static_cast<int64_t>(r.direction);
  if (whole->info[0].shape.size() != 3 || whole->info[0].shape[static_cast<size_t>(axis)] != r.layer.directions)
    throw request_error("{}: input {} has shape {}, but an initial state needs {}", r.node.str(), input,
                        shape_text(whole->info[0].shape),
                        shape_text(r.layer.batch_first
                                       ? Shape{r.inputs[kX].info[0].shape[0], r.layer.directions, r.layer.hidden}
                                       : Shape{r.layer.directions, r.inputs[kX].info[0].shape[1], r.layer.hidden}));
  if (whole->is_known())
    return know_part(*whole, fmt::format("{}%{}", r.node.inputs[input], r.direction),
                     {whole->value[0].select(axis, direction), whole->value[1].select(axis, direction)},
                     part_of_name(whole->name, 1, 0));
  auto part = r.node.inputs[input];
  if (r.layer.directions > 1) {
    auto cut = list_attribute("starts", {direction});
    cut.set("ends", std::vector<int64_t>{direction + 1});
    cut.set("axes", std::vector<int64_t>{axis});
    part = add_step(r.node, "Slice", {part}, std::move(cut));
  }
  return add_step(r.node, "Squeeze", {part}, list_attribute("axes", {axis}));
}

/// The node of one direction; the values of its outputs.
std::vector<std::string> Folding::keep_direction(const Recurrent& r, const std::string& sequence, size_t outputs) {
  DraftNode made{.op = r.node.op,
                 .domain = "compress",
                 .scope = r.node.scope,
                 .inputs = {sequence, recurrent_weight(r, kW, 0, "weight_ih"), recurrent_weight(r, kR, 0, "weight_hh"),
                            recurrent_weight(r, kB, 0, "bias_ih"), recurrent_weight(r, kB, 1, "bias_hh")},
                 .attributes = attributes_of(r.node, r.layer, r.direction)};
  if (draft_.own) made.name = r.node.name;
  made.inputs.push_back(r.node.has_input(kLengthsOfX) ? r.node.inputs[kLengthsOfX] : "");
  made.inputs.push_back(recurrent_state(r, kH));
  if (r.layer.gates == 4) {
    made.inputs.push_back(recurrent_state(r, kC));
    made.inputs.push_back(recurrent_weight(r, kP, 0, "peephole"));
    if (r.node.has_input(kP) && is_zero(r.inputs[kP])) made.inputs.back().clear();
  }
  while (made.inputs.back().empty()) made.inputs.pop_back();
  for (size_t k = 0; k < outputs; ++k) made.outputs.push_back(fresh(r.node));
  const auto values = made.outputs;
  const auto inputs = inputs_of(made);
  keep(std::move(made), inputs);
  return values;
}

void Folding::split_recurrent(const DraftNode& node, const std::vector<Known>& inputs) {
  const auto layer = read_layer(node, inputs);
  const auto stem = stem_of_layer(node, inputs[kW].name);
  const int number = recurrent_layers_[stem]++;
  auto sequence = node.inputs[kX];
  if (layer.batch_first) sequence = add_step(node, "Transpose", {sequence}, list_attribute("perm", {1, 0, 2}));
  std::vector<std::vector<std::string>> values;  // by direction, then output
  for (size_t d = 0; d < layer.reversed.size(); ++d)
    values.push_back(keep_direction({node, inputs, layer, stem, number, d}, sequence, node.outputs.size()));
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    const int64_t axis = k == 0 ? (layer.batch_first ? 2 : 1) : (layer.batch_first ? 1 : 0);
    std::vector<std::string> parts;
    for (auto& direction : values) {
      auto value = direction[k];
      if (k == 0 && layer.batch_first) value = add_step(node, "Transpose", {value}, list_attribute("perm", {1, 0, 2}));
      const bool alone = values.size() == 1;
      parts.push_back(
          add_step(node, "Unsqueeze", {value}, list_attribute("axes", {axis}), alone ? node.outputs[k] : ""));
    }
    Attributes joined;
    joined.set("axis", axis);
    if (parts.size() > 1) add_step(node, "Concat", parts, std::move(joined), node.outputs[k]);
  }
}

}  // namespace compress::io
