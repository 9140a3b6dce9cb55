#include "ops/op.h"

#include "core/text.h"
#include "graph/verify.h"

#include <algorithm>

namespace compress::ops {

namespace families {
#define ENTRY(name) extern const OpFamily name;
#include "ops/ops.def"
#undef ENTRY
}  // namespace families

namespace {

std::vector<const Op*> collect_ops() {
  std::vector<const Op*> ops;
  for (const auto* family : {
#define ENTRY(name) &families::name,
#include "ops/ops.def"
#undef ENTRY
       })
    for (const auto& op : family->ops) ops.push_back(&op);
  std::ranges::sort(ops, {}, [](const Op* op) { return std::pair(op->domain, op->name); });
  return ops;
}

const std::vector<const Op*>& op_table() {
  static const auto table = collect_ops();
  return table;
}

std::string type_words(const AttributeSpec& spec) {
  using enum AttributeSpec::Type;
  switch (spec.type) {
  case integer: return "an integer";
  case number: return "a number";
  case text: return "text";
  case integers: return "a list of integers";
  case numbers: return "a list of numbers";
  }
  return {};
}

bool has_type(const Attribute& value, AttributeSpec::Type type) {
  using enum AttributeSpec::Type;
  const auto is_integers = std::holds_alternative<std::vector<int64_t>>(value);
  const auto* as_numbers = std::get_if<std::vector<double>>(&value);
  switch (type) {
  case integer: return std::holds_alternative<int64_t>(value);
  case number: return std::holds_alternative<double>(value) || std::holds_alternative<int64_t>(value);
  case text: return std::holds_alternative<std::string>(value);
  case integers: return is_integers || (as_numbers && as_numbers->empty());
  case numbers: return as_numbers || is_integers;
  }
  return false;
}

void check_word(const Node& node, const AttributeSpec& spec, const Attribute& value) {
  const auto* word = std::get_if<std::string>(&value);
  if (spec.values.empty() || !word) return;
  const auto words = split(spec.values, '|');
  if (std::ranges::find(words, *word) == words.end())
    throw request_error("{}: attribute '{}' is '{}'", describe(node), spec.name, *word)
        .hint(did_you_mean(*word, words))
        .hint("allowed are " + join_words(words));
}

void check_attributes(const Node& node, const Op& op) {
  for (const auto& [name, value] : node.attributes) {
    const auto spec = std::ranges::find(op.attributes, name, &AttributeSpec::name);
    if (spec == op.attributes.end()) {
      std::vector<std::string> names;
      for (const auto& known : op.attributes) names.emplace_back(known.name);
      throw request_error("{}: attribute '{}' is not supported", describe(node), name)
          .hint(did_you_mean(name, names))
          .hint(names.empty() ? "the operator has no attributes" : "allowed are " + join_words(names));
    }
    if (!has_type(value, spec->type))
      throw request_error("{}: attribute '{}' must be {}", describe(node), name, type_words(*spec));
    check_word(node, *spec, value);
  }
  for (const auto& spec : op.attributes)
    if (spec.required && !node.attributes.has(spec.name))
      throw request_error("{}: attribute '{}' is missing", describe(node), spec.name)
          .hint(fmt::format("it is {}", type_words(spec)));
}

std::string count_words(int least, int most) {
  if (most < 0) return fmt::format("at least {}", least);
  return least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
}

void check_arity(const Node& node, const Op& op) {
  const auto inputs = static_cast<int>(node.inputs.size());
  if (inputs < op.min_inputs || (op.max_inputs >= 0 && inputs > op.max_inputs))
    throw request_error("{}: has {} inputs, but the operator takes {}", describe(node), inputs,
                        count_words(op.min_inputs, op.max_inputs));
  for (int i = 0; i < op.min_inputs; ++i)
    if (i != op.bias_input && !node.has_input(static_cast<size_t>(i)))
      throw request_error("{}: input {} is absent, but the operator needs it", describe(node), i);
  if (node.outputs < op.min_outputs || (op.max_outputs >= 0 && node.outputs > op.max_outputs))
    throw request_error("{}: has {} outputs, but {} of the operator are supported", describe(node), node.outputs,
                        count_words(op.min_outputs, op.max_outputs));
}

}  // namespace

std::span<const Op* const> all_ops() {
  return op_table();
}

const Op* find_op(std::string_view name) {
  static const auto index = [] {
    std::map<std::string_view, const Op*> index;
    for (const auto* op : op_table()) index.emplace(op->name, op);
    return index;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

const Op& op_of(const Node& node) {
  if (const auto* op = find_op(node.op)) return *op;
  std::vector<std::string> names;
  for (const auto* op : op_table()) names.emplace_back(op->name);
  throw request_error("node '{}': operator '{}' is not supported", node.name, node.op)
      .hint(did_you_mean(node.op, names))
      .hint("`compress list operators` shows the supported ones; replace it in the model by those and export it again, "
            "or add it (one file in lib/ops)");
}

std::string describe(const Node& node) {
  return fmt::format("node '{}' ({})", node.name, node.op);
}

int64_t no_macs(const Node&, std::span<const ValueInfo>, std::span<const ValueInfo>) {
  return 0;
}

void keep_attributes(Node&, const Resize&) {}

void check_node(const Node& node) {
  const auto& op = op_of(node);
  check_arity(node, op);
  check_attributes(node, op);
}

void verify(const Graph& graph) {
  verify_structure(graph);
  for (const auto& node : graph.nodes()) check_node(node);
  infer(graph, 2);
}

const ValueInfo* Infos::find(std::string_view name) const {
  const auto found = infos_.find(name);
  return found == infos_.end() ? nullptr : &found->second;
}

const ValueInfo& Infos::at(std::string_view name) const {
  if (const auto* info = find(name)) return *info;
  throw request_error("there is no value or parameter '{}'", name);
}

void Infos::set(std::string name, ValueInfo info) {
  infos_.insert_or_assign(std::move(name), std::move(info));
}

std::vector<ValueInfo> input_infos(const Node& node, const Infos& infos) {
  std::vector<ValueInfo> inputs;
  for (const auto& name : node.inputs)
    inputs.push_back(name.empty() ? ValueInfo{.shape = {}, .type = at::ScalarType::Undefined} : infos.at(name));
  return inputs;
}

std::vector<ValueInfo> output_infos(const Node& node, const Infos& infos) {
  std::vector<ValueInfo> outputs;
  for (int k = 0; k < node.outputs; ++k) outputs.push_back(infos.at(node.output(k)));
  return outputs;
}

Infos infer(const Graph& graph, int64_t batch, const Node* stop) {
  Infos infos;
  for (const auto& input : graph.inputs) {
    auto shape = input.shape;
    std::ranges::replace(shape, kBatch, batch);
    infos.set(input.name, {.shape = std::move(shape), .type = input.type});
  }
  for (const auto& parameter : graph.parameters())
    infos.set(parameter.name, {.shape = parameter.value.sizes().vec(), .type = parameter.value.scalar_type()});
  for (const auto& node : graph.nodes()) {
    if (&node == stop) break;
    within("checking the shapes of " + describe(node), [&] {
      const auto inputs = input_infos(node, infos);
      const auto outputs = op_of(node).infer({.node = node, .inputs = inputs});
      for (size_t k = 0; k < outputs.size(); ++k) infos.set(node.output(static_cast<int>(k)), outputs[k]);
    });
  }
  return infos;
}

}  // namespace compress::ops
