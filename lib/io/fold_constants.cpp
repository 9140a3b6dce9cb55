// Follows an ONNX graph twice, with two different batch sizes, computing what does not depend on the network's inputs:
// constants and shape arithmetic. What comes out the same in both runs is a constant; what differs only as the batch
// does becomes "as the input" in a Reshape.

#include "core/error.h"
#include "core/text.h"
#include "exec/plan.h"
#include "io/constant_operators.h"
#include "io/convert_node.h"
#include "io/draft.h"
#include "io/onnx_tensor.h"
#include "io/without_effect.h"

#include <algorithm>
#include <unordered_map>

namespace compress::io {
namespace {

class Folding {
public:
  Folding(const Draft& draft, Batches batches, int64_t frozen_batch)
      : draft_(draft), batches_(batches), frozen_batch_(frozen_batch) {}

  Draft run() {
    refuse_unknown_operators();
    result_ = draft_;
    result_.nodes.clear();
    for (const auto& input : draft_.inputs) know_input(input);
    for (const auto& [value, constant] : draft_.constants) know_constant(value, constant.value, constant.name);
    for (const auto& node : draft_.nodes) within("importing " + node.str(), [&] { visit(node); });
    finish();
    return std::move(result_);
  }

private:
  /// All of them at once, so that a user sees whether a model is near to fitting.
  void refuse_unknown_operators() const {
    Problems problems;
    std::set<std::string> seen;
    for (const auto& node : draft_.nodes) {
      const auto* op = ops::find_op(node.op);
      const bool ours = op && op->domain == node.domain;
      const bool computed = node.domain.empty() && (find_constant_operator(node.op) || is_special(node.op));
      if (ours || computed) continue;
      const auto shown = node.domain.empty() ? node.op : node.domain + "." + node.op;
      if (seen.insert(shown).second) problems.capture([&] { refuse(node, shown); });
    }
    problems.raise();
  }

  [[noreturn]] static void refuse(const DraftNode& node, const std::string& op) {
    ops::op_of(Node{.name = node.name.empty() ? node.outputs.front() : node.name, .op = op});
    throw request_error("{}: the operator is not supported", node.str());
  }

  static bool is_special(std::string_view op) {
    return op == "Constant" || op == "Shape" || op == "Size" || op == "Identity";
  }

  void know_input(const GraphInput& input) {
    Known known;
    for (size_t world = 0; world < 2; ++world) {
      known.info[world] = {input.shape, input.type};
      std::ranges::replace(known.info[world].shape, kBatch, world == 0 ? batches_.first : batches_.second);
    }
    known_[input.name] = std::move(known);
  }

  void know_constant(const std::string& value, const at::Tensor& tensor, const std::string& name) {
    know_values(value, {tensor, tensor}, name);
  }

  void know_values(const std::string& value, std::array<at::Tensor, 2> tensors, const std::string& name) {
    Known known{.value = std::move(tensors), .name = name};
    for (size_t world = 0; world < 2; ++world)
      known.info[world] = {known.value[world].sizes().vec(), known.value[world].scalar_type()};
    known_[value] = std::move(known);
  }

  const std::string& resolve(const std::string& value) const {
    const auto found = alias_.find(value);
    return found == alias_.end() ? value : found->second;
  }

  /// Without an entry: absent.
  std::vector<Known> inputs_of(const DraftNode& node) const {
    std::vector<Known> inputs;
    for (const auto& name : node.inputs) {
      Known absent{
          .info = {ops::ValueInfo{{}, at::ScalarType::Undefined}, ops::ValueInfo{{}, at::ScalarType::Undefined}}};
      inputs.push_back(name.empty() ? absent : known_.at(name));
    }
    return inputs;
  }

  void visit(DraftNode node) {
    for (auto& input : node.inputs) input = resolve(input);
    if (node.op == "Constant" && node.domain.empty()) return know_constant(node.outputs[0], constant_of(node), "");
    const auto inputs = inputs_of(node);
    if (node.op == "Identity" && node.domain.empty() && inputs.size() == 1) return stand_for(node, 0);
    if (node.op == "Shape" || node.op == "Size") return know_shape(node, inputs);
    const auto is_known = [](const Known& input) {
      return input.is_known() || input.info[0].type == at::ScalarType::Undefined;
    };
    if (!inputs.empty() && std::ranges::all_of(inputs, is_known) && compute(node, inputs)) return;
    keep(std::move(node), inputs);
  }

  void stand_for(const DraftNode& node, size_t input) {
    alias_[node.outputs[0]] = node.inputs[input];
    // An output that is a constant or an input keeps its own name as a name of the outside; values are found through
    // the alias.
    known_[node.outputs[0]] = known_.at(node.inputs[input]);
  }

  static at::Tensor constant_of(const DraftNode& node) {
    if (const auto value = node.tensors.find("value"); value != node.tensors.end()) return value->second;
    const auto& attributes = node.attributes;
    if (attributes.has("value_int")) return integer_list({attributes.integer("value_int", 0)}).reshape({});
    if (attributes.has("value_ints")) return integer_list(attributes.integers("value_ints", {}));
    if (attributes.has("value_float"))
      return number_list({attributes.number("value_float", 0)}).to(at::kFloat).reshape({});
    if (attributes.has("value_floats")) return number_list(attributes.numbers("value_floats", {})).to(at::kFloat);
    throw request_error("{} holds no tensor that is supported", node.str());
  }

  void know_shape(const DraftNode& node, const std::vector<Known>& inputs) {
    if (inputs.size() != 1 || inputs[0].info[0].type == at::ScalarType::Undefined)
      throw request_error("{} must have one input", node.str());
    std::array<at::Tensor, 2> values;
    for (size_t world = 0; world < 2; ++world) {
      const auto& shape = inputs[0].info[world].shape;
      const auto rank = static_cast<int64_t>(shape.size());
      const auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
      const auto start = clamp(node.attributes.integer("start", 0)), end = clamp(node.attributes.integer("end", rank));
      const Shape part(shape.begin() + start, shape.begin() + std::max(start, end));
      const auto size = element_count(shape);
      if (!size) throw request_error("{}: the shape {} is impossible", node.str(), shape_text(shape));
      values[world] = node.op == "Size" ? integer_list({*size}).reshape({}) : integer_list(part);
    }
    know_values(node.outputs[0], std::move(values), "");
  }

  /// False when the operator cannot be computed here (own quantisers stay what they are, random ones, ...).
  bool compute(const DraftNode& node, const std::vector<Known>& inputs) {
    const auto* op = ops::find_op(node.op);
    if (!node.domain.empty() || (op && op->quantization == ops::Quantization::quantizer)) return false;
    if (node.outputs.size() > 1 && !node.outputs[1].empty()) return false;
    if (const auto* twin = computed_before(node)) {
      alias_[node.outputs[0]] = *twin;
      known_[node.outputs[0]] = known_.at(*twin);
      return true;
    }
    const bool same = std::ranges::all_of(
        inputs, [](const Known& known) { return !known.is_known() || known.value[0].is_same(known.value[1]); });
    std::array<at::Tensor, 2> values;
    for (size_t world = 0; world < (same ? 1 : 2); ++world) values[world] = evaluate(node, op, inputs, world);
    if (same) values[1] = values[0];
    // A transposed weight is still that weight to the user.
    const bool renders = node.op == "Transpose" || node.op == "Cast" || node.op == "Reshape" || node.op == "Squeeze" ||
                         node.op == "Unsqueeze";
    know_values(node.outputs[0], std::move(values), renders ? inputs[0].name : "");
    return true;
  }

  /// A tied weight that is transposed at each use stays one weight.
  const std::string* computed_before(const DraftNode& node) {
    auto& twins = computed_[node.op + "(" + join(node.inputs, ",") + ")"];
    for (const auto& twin : twins)
      if (twin.attributes == node.attributes && node.tensors.empty()) return &twin.outputs[0];
    twins.push_back(node);
    return nullptr;
  }

  at::Tensor evaluate(DraftNode node, const ops::Op* op, const std::vector<Known>& inputs, size_t world) const {
    std::vector<at::Tensor> tensors;
    std::vector<Known> only;  // this world alone
    for (const auto& input : inputs) {
      tensors.push_back(input.value[world]);
      only.push_back(
          {.info = {input.info[world], input.info[world]}, .value = {input.value[world], input.value[world]}});
    }
    if (const auto run = find_constant_operator(node.op)) return run(node, tensors);
    modernize(node, *op, draft_.opset, only);
    constants_to_attributes(node, *op, only, 0);
    node.outputs.resize(1);
    const auto ready = to_graph_node(node);
    std::vector<ops::ValueInfo> infos;
    tensors.resize(ready.inputs.size());
    for (size_t i = 0; i < ready.inputs.size(); ++i) {
      infos.push_back(ready.inputs[i].empty() ? ops::ValueInfo{{}, at::ScalarType::Undefined} : inputs[i].info[world]);
      if (ready.inputs[i].empty()) tensors[i] = at::Tensor();
    }
    for (const auto& output : op->infer({.node = ready, .inputs = infos}))
      check_constant_size(node, output.shape, tensors);
    return exec::run_node(ready, tensors).at(0);
  }

  void keep(DraftNode node, const std::vector<Known>& inputs) {
    const auto* op = ops::find_op(node.op);
    if (!op || op->domain != node.domain) refuse(node, node.op);
    modernize(node, *op, draft_.opset, inputs);
    constants_to_attributes(node, *op, inputs, frozen_batch_);
    drop_unused_outputs(node);
    const auto outputs = infer(node, *op, inputs);
    if (const auto same = input_it_equals(node, inputs, outputs[0])) return stand_for(node, *same);
    simplify(node, inputs, outputs);
    for (size_t k = 0; k < node.outputs.size(); ++k) known_[node.outputs[k]] = outputs[k];
    result_.nodes.push_back(std::move(node));
  }

  /// Optional outputs (Dropout's mask, BatchNormalization's running statistics) that nobody reads.
  void drop_unused_outputs(DraftNode& node) const {
    while (node.outputs.size() > 1 && (node.outputs.back().empty() || draft_.readers(node.outputs.back()) == 0))
      node.outputs.pop_back();
    for (const auto& output : node.outputs)
      if (output.empty()) throw request_error("{} leaves out an output before one that is used", node.str());
  }

  std::vector<Known> infer(const DraftNode& node, const ops::Op& op, const std::vector<Known>& inputs) const {
    const auto ready = to_graph_node(node);
    std::vector<Known> outputs(node.outputs.size());
    for (size_t world = 0; world < 2; ++world) {
      std::vector<ops::ValueInfo> infos;
      for (size_t i = 0; i < ready.inputs.size(); ++i)
        infos.push_back(ready.inputs[i].empty() ? ops::ValueInfo{{}, at::ScalarType::Undefined}
                                                : inputs[i].info[world]);
      const auto made = op.infer({.node = ready, .inputs = infos});
      for (size_t k = 0; k < outputs.size(); ++k) outputs[k].info[world] = made.at(k);
    }
    return outputs;
  }

  /// Constants that nodes or outputs still read; names of those that lost theirs are found later.
  void finish() {
    std::set<std::string> read;
    for (const auto& node : result_.nodes) read.insert(node.inputs.begin(), node.inputs.end());
    for (auto& output : result_.outputs) read.insert(resolve(output));
    std::vector<std::string> order;
    for (const auto& name : draft_.constant_order)
      if (read.contains(name)) order.push_back(name);
    result_.constants.clear();
    for (const auto& name : order) result_.constants[name] = draft_.constants.at(name);
    const auto add = [&](const std::string& name) {
      const auto found = known_.find(name);
      if (name.empty() || found == known_.end() || !found->second.is_known() || result_.constants.contains(name))
        return;
      if (!found->second.is_constant())
        throw request_error(
            "the model uses '{}', a number computed from the batch size, as data, which is not supported", name)
            .hint("export the model with a fixed batch");
      result_.constants[name] = {found->second.value[0], found->second.name};
      order.push_back(name);
    };
    for (const auto& node : result_.nodes) std::ranges::for_each(node.inputs, add);
    for (const auto& output : result_.outputs) add(resolve(output));
    result_.constant_order = std::move(order);
    for (const auto& output : draft_.outputs) result_.output_values.push_back(resolve(output));
    for (const auto& [value, known] : known_) result_.shapes[value] = {known.info[0].shape, known.info[1].shape};
  }

  const Draft& draft_;
  const Batches batches_;
  const int64_t frozen_batch_;
  Draft result_;
  std::unordered_map<std::string, Known> known_;
  std::unordered_map<std::string, std::string> alias_;
  std::unordered_map<std::string, std::vector<DraftNode>> computed_;  ///< by operator and inputs
};

}  // namespace

Draft fold(const Draft& draft, Batches batches, int64_t frozen_batch) {
  return Folding(draft, batches, frozen_batch).run();
}

}  // namespace compress::io
