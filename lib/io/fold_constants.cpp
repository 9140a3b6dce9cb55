// See folding.h.

#include "core/error.h"
#include "core/text.h"
#include "exec/plan.h"
#include "io/check_values.h"
#include "io/constant_operators.h"
#include "io/folding.h"
#include "io/old_forms.h"
#include "io/onnx_tensor.h"
#include "io/recurrent.h"
#include "io/without_effect.h"

#include <algorithm>
#include <ranges>

namespace compress::io {
namespace {

constexpr int64_t kMostVisits = 200'000;

[[noreturn]] void refuse(const DraftNode& node, const std::string& op) {
  ops::op_of(Node{.name = node.name.empty() ? node.outputs.front() : node.name, .op = op});
  throw request_error("{}: the operator is not supported", node.str());
}

/// Operators that import itself replaces.
bool is_special(const DraftNode& node) {
  constexpr std::string_view kSpecial[] = {"Constant", "Shape", "Size", "Identity", "If", "Loop"};
  return node.domain.empty() && std::ranges::find(kSpecial, node.op) != std::end(kSpecial);
}

Known absent_input() {
  const ops::ValueInfo nothing{.shape = {}, .type = at::ScalarType::Undefined};
  return {.info = {nothing, nothing}, .value = {}};
}

bool is_absent(const Known& input) {
  return input.info[0].type == at::ScalarType::Undefined;
}

at::Tensor constant_of(const DraftNode& node) {
  if (const auto value = node.tensors.find("value"); value != node.tensors.end()) return value->second;
  const auto& attributes = node.attributes;
  if (attributes.has("value_int")) return integer_list({attributes.integer("value_int", 0)}).reshape({});
  if (attributes.has("value_ints")) return integer_list(attributes.integers("value_ints", {}));
  if (attributes.has("value_float"))
    return number_list({attributes.number("value_float", 0)}).to(at::kFloat).reshape({});
  if (attributes.has("value_floats")) return number_list(attributes.numbers("value_floats", {})).to(at::kFloat);
  throw request_error("{} holds no tensor that is supported", node.str())
      .hint("numbers are supported, text and sparse tensors are not");
}

/// A node whose constant inputs have become attributes, and the tensors of the other inputs.
std::vector<ops::ValueInfo> infos_of(const Node& node, const std::vector<Known>& inputs, size_t world) {
  std::vector<ops::ValueInfo> infos;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    infos.push_back(node.inputs[i].empty() ? absent_input().info[0] : inputs[i].info[world]);
  return infos;
}

/// What the user still calls a constant that was computed from one: a transposed weight is that weight, so are part of
/// it and its repetition along the batch; joined ones are called "a+b".
std::string rendered_name(const DraftNode& node, const std::vector<Known>& inputs, bool batched) {
  constexpr std::string_view kRenders[] = {"Transpose", "Cast",  "Reshape", "Squeeze",
                                           "Unsqueeze", "Slice", "Split",   "Gather"};
  const bool renders = std::ranges::find(kRenders, node.op) != std::end(kRenders);
  if (renders || (batched && node.op == "Expand")) return inputs[0].name;
  if (node.op != "Concat") return "";
  std::vector<std::string> names;
  for (const auto& input : inputs) {
    if (input.name.empty()) return "";
    if (std::ranges::find(names, input.name) == names.end()) names.push_back(input.name);
  }
  return join(names, "+");
}

/// Optional outputs (Dropout's mask, BatchNormalization's running statistics) that nobody reads.
void drop_unused_outputs(DraftNode& node, const std::set<std::string>& reads) {
  const auto* op = ops::find_op(node.op);
  const auto least = static_cast<size_t>(op && op->domain == node.domain ? std::max(op->min_outputs, 1) : 1);
  while (node.outputs.size() > least && !reads.contains(node.outputs.back())) node.outputs.pop_back();
}

}  // namespace

Draft Folding::run() {
  refuse_unknown_operators();
  find_reads();
  result_ = draft_;
  result_.nodes.clear();
  for (const auto& input : draft_.inputs) know_input(input);
  for (const auto& [value, constant] : draft_.constants) know_constant(value, constant.value, constant.name);
  for (const auto& node : draft_.nodes) visit(node, nullptr);
  finish();
  return std::move(result_);
}

/// All of them at once, so that a user sees whether a model is near to fitting. Those in subgraphs are looked at when
/// it is known that they run.
void Folding::refuse_unknown_operators() const {
  Problems problems;
  std::set<std::string> seen;
  for (const auto& node : draft_.nodes) {
    const auto* op = ops::find_op(node.op);
    const bool ours = op && op->domain == node.domain;
    const bool computed = node.domain.empty() && (find_constant_operator(node.op) || is_onnx_recurrent(node));
    if (ours || computed || is_special(node)) continue;
    const auto shown = node.domain.empty() ? node.op : node.domain + "." + node.op;
    if (seen.insert(shown).second) problems.capture([&] { refuse(node, shown); });
  }
  problems.raise();
}

void Folding::find_reads() {
  const std::function<void(const std::vector<DraftNode>&)> collect = [&](const std::vector<DraftNode>& nodes) {
    for (const auto& node : nodes) {
      reads_.insert(node.inputs.begin(), node.inputs.end());
      for (const auto& [attribute, body] : node.bodies) {
        reads_.insert(body->outer.begin(), body->outer.end());
        reads_.insert(body->outputs.begin(), body->outputs.end());
        collect(body->nodes);
      }
    }
  };
  collect(draft_.nodes);
  reads_.insert(draft_.outputs.begin(), draft_.outputs.end());
}

void Folding::know_input(const GraphInput& input) {
  Known known;
  for (size_t world = 0; world < 2; ++world) {
    known.info[world] = {input.shape, input.type};
    std::ranges::replace(known.info[world].shape, kBatch, world == 0 ? batches_.first : batches_.second);
  }
  known_[input.name] = std::move(known);
}

void Folding::know_constant(const std::string& value, const at::Tensor& tensor, const std::string& name) {
  know_values(value, {tensor, tensor}, name);
}

void Folding::know_values(const std::string& value, std::array<at::Tensor, 2> tensors, const std::string& name) {
  Known known{.value = std::move(tensors), .name = name};
  for (size_t world = 0; world < 2; ++world)
    known.info[world] = {known.value[world].sizes().vec(), known.value[world].scalar_type()};
  known_[value] = std::move(known);
}

/// The value that a name stands for: the scope says what it is outside, the alias what it equals.
std::string Folding::resolve(const std::string& value, const Scope* scope) const {
  const auto* name = &value;
  for (; scope; scope = scope->outer)
    if (const auto inner = scope->names.find(*name); inner != scope->names.end()) {
      name = &inner->second;
      break;
    }
  const auto found = alias_.find(*name);
  return found == alias_.end() ? *name : found->second;
}

std::vector<Known> Folding::inputs_of(const DraftNode& node) const {
  std::vector<Known> inputs;
  for (const auto& name : node.inputs) inputs.push_back(name.empty() ? absent_input() : known_.at(name));
  return inputs;
}

void Folding::visit(DraftNode node, const Scope* scope) {
  if (++visited_ > kMostVisits)
    throw request_error("unrolling its loops makes the model larger than {} nodes", kMostVisits);
  drop_unused_outputs(node, reads_);
  for (auto& input : node.inputs) input = resolve(input, scope);
  if (scope) {
    for (auto& output : node.outputs) output = scope->names.at(output);
    if (!node.name.empty()) node.name = scope->path + node.name;
  }
  within("importing " + node.str(), [&] {
    if (node.op == "Constant" && node.domain.empty()) return know_constant_node(node);
    const auto inputs = inputs_of(node);
    if (is_special(node)) {
      if (node.op == "If") return unroll_if(node, inputs, scope);
      if (node.op == "Loop") return unroll_loop(node, inputs, scope);
      if (inputs.size() != 1 || is_absent(inputs[0])) throw request_error("{} must have one input", node.str());
      return node.op == "Identity" ? stand_for(node.outputs[0], node.inputs[0]) : know_shape(node, inputs);
    }
    if (const auto modern = modern_nodes(node, inputs); !modern.empty()) {
      for (const auto& part : modern) visit(part, nullptr);
      return;
    }
    if (is_onnx_recurrent(node)) return split_recurrent(node, inputs);
    const bool all_known =
        std::ranges::all_of(inputs, [](const Known& input) { return input.is_known() || is_absent(input); });
    if (!inputs.empty() && all_known && compute(node, inputs)) return;
    keep(std::move(node), inputs);
  });
}

/// An output that is a constant or an input keeps its own name as a name of the outside; values are found through the
/// alias.
void Folding::stand_for(const std::string& output, const std::string& value) {
  alias_[output] = value;
  known_[output] = known_.at(value);
}

/// A weight that a loop's body holds in a Constant stays one weight when the loop is unrolled.
void Folding::know_constant_node(const DraftNode& node) {
  const auto value = constant_of(node);
  const auto [twin, is_new] = tensors_.try_emplace(value.unsafeGetTensorImpl(), node.outputs[0]);
  is_new ? know_constant(node.outputs[0], value, "") : stand_for(node.outputs[0], twin->second);
}

void Folding::know_shape(const DraftNode& node, const std::vector<Known>& inputs) {
  std::array<at::Tensor, 2> values;
  for (size_t world = 0; world < 2; ++world) {
    const auto& shape = inputs[0].info[world].shape;
    if (!element_count(shape)) throw request_error("{}: the shape {} is impossible", node.str(), shape_text(shape));
    const std::array value{integer_list({0}).reshape({}).expand(shape)};  // of that shape, without its memory
    values[world] = exec::run_node(to_graph_node(node), value).at(0);
  }
  know_values(node.outputs[0], std::move(values), "");
}

bool Folding::compute(const DraftNode& node, const std::vector<Known>& inputs) {
  const auto* op = ops::find_op(node.op);
  if (!node.domain.empty() || (op && op->quantization == ops::Quantization::quantizer)) return false;
  if (!op && !find_constant_operator(node.op)) refuse(node, node.op);
  if (const auto* twin = computed_before(node)) {
    stand_for(node.outputs[0], *twin);
    return true;
  }
  const bool same = std::ranges::all_of(
      inputs, [](const Known& known) { return !known.is_known() || known.value[0].is_same(known.value[1]); });
  const auto first = evaluate(node, op, inputs, 0);
  const auto second = same ? first : evaluate(node, op, inputs, 1);
  const bool batched = first.at(0).sizes() != second.at(0).sizes();
  for (size_t k = 0; k < node.outputs.size(); ++k)
    know_values(node.outputs[k], {first.at(k), second.at(k)}, rendered_name(node, inputs, batched));
  if (batched) origins_[node.outputs[0]] = {node.name, node.scope};
  return true;
}

/// A tied weight that is transposed at each use stays one weight.
const std::string* Folding::computed_before(const DraftNode& node) {
  if (node.outputs.size() > 1) return nullptr;
  auto& twins = computed_[node.op + "(" + join(node.inputs, ",") + ")"];
  for (const auto& twin : twins)
    if (twin.attributes == node.attributes && node.tensors.empty()) return &twin.outputs[0];
  twins.push_back(node);
  return nullptr;
}

std::vector<at::Tensor>
Folding::evaluate(DraftNode node, const ops::Op* op, const std::vector<Known>& inputs, size_t world) const {
  std::vector<at::Tensor> tensors;
  std::vector<Known> only;  // this world alone
  for (const auto& input : inputs) {
    tensors.push_back(input.value[world]);
    only.push_back({.info = {input.info[world], input.info[world]}, .value = {input.value[world], input.value[world]}});
  }
  if (const auto run = find_constant_operator(node.op); run && node.outputs.size() == 1) return {run(node, tensors)};
  if (!op) refuse(node, node.op);
  modernize(node, *op);
  constants_to_attributes(node, *op, only, 0);
  const auto ready = to_graph_node(node);
  tensors.resize(ready.inputs.size());
  for (size_t i = 0; i < ready.inputs.size(); ++i)
    if (ready.inputs[i].empty()) tensors[i] = at::Tensor();
  for (const auto& output : op->infer({.node = ready, .inputs = infos_of(ready, only, world)}))
    check_constant_size(node, output.shape, tensors);
  return exec::run_node(ready, tensors);
}

void Folding::keep(DraftNode node, const std::vector<Known>& given) {
  auto inputs = given;
  const auto* op = ops::find_op(node.op);
  if (!op || op->domain != node.domain) refuse(node, node.domain.empty() ? node.op : node.domain + "." + node.op);
  modernize(node, *op);
  constants_to_attributes(node, *op, inputs, frozen_batch_);
  check_values(node, inputs);
  expand_batch(node, inputs);
  const auto outputs = infer(node, *op, inputs);
  if (const auto same = input_it_equals(node, inputs, outputs[0]))
    return stand_for(node.outputs[0], node.inputs[*same]);
  simplify(node, inputs, outputs);
  for (size_t k = 0; k < node.outputs.size(); ++k) known_[node.outputs[k]] = outputs[k];
  result_.nodes.push_back(std::move(node));
}

std::vector<Known> Folding::infer(const DraftNode& node, const ops::Op& op, const std::vector<Known>& inputs) const {
  const auto ready = to_graph_node(node);
  std::vector<Known> outputs(node.outputs.size());
  for (size_t world = 0; world < 2; ++world) {
    const auto made = op.infer({.node = ready, .inputs = infos_of(ready, inputs, world)});
    for (size_t k = 0; k < outputs.size(); ++k) outputs[k].info[world] = made.at(k);
  }
  return outputs;
}

/// Nodes that lead to no output; what the others read.
std::set<std::string> Folding::drop_dead_nodes() {
  std::set<std::string> read;
  for (const auto& output : result_.outputs) read.insert(resolve(output));
  std::vector<DraftNode> alive;
  for (auto& node : std::views::reverse(result_.nodes)) {
    if (std::ranges::none_of(node.outputs, [&](const auto& output) { return read.contains(output); })) continue;
    read.insert(node.inputs.begin(), node.inputs.end());
    alive.push_back(std::move(node));
  }
  std::ranges::reverse(alive);
  result_.nodes = std::move(alive);
  return read;
}

/// Constants that nodes or outputs still read; names of those that lost theirs are found later.
void Folding::finish() {
  const auto read = drop_dead_nodes();
  std::vector<std::string> order;
  result_.constants.clear();
  for (const auto& name : draft_.constant_order) {
    if (read.contains(name)) {
      order.push_back(name);
      result_.constants[name] = draft_.constants.at(name);
    }
    for (const auto& part : derived_[name]) {
      if (!read.contains(part) || !known_.at(part).is_constant()) continue;
      order.push_back(part);
      result_.constants[part] = {known_.at(part).value[0], known_.at(part).name};
    }
  }
  const auto add = [&](const std::string& name) {
    const auto found = known_.find(name);
    if (name.empty() || found == known_.end() || !found->second.is_known() || result_.constants.contains(name)) return;
    if (!found->second.is_constant())
      throw request_error("the model uses '{}', a number computed from the batch size, as data, which is not supported",
                          name)
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

Draft fold(const Draft& draft, Batches batches, int64_t frozen_batch) {
  return Folding(draft, batches, frozen_batch).run();
}

}  // namespace compress::io
