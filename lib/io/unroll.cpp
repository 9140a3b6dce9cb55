// Control flow that is decided at import: the branch of an If is put in its place, the body of a Loop once for each
// iteration. What comes out has no subgraphs.

#include "core/error.h"
#include "io/constant_operators.h"
#include "io/folding.h"

#include <ATen/ops/scalar_tensor.h>

namespace compress::io {
namespace {

constexpr int64_t kMostIterations = 10'000;

const Body& body_of(const DraftNode& node, const std::string& attribute) {
  const auto body = node.bodies.find(attribute);
  if (body == node.bodies.end()) throw request_error("{} has no subgraph '{}'", node.str(), attribute);
  return *body->second;
}

void check_counts(const DraftNode& node, const Body& body, size_t inputs, size_t outputs) {
  if (body.inputs.size() != inputs || body.outputs.size() < outputs)
    throw request_error("{}: its subgraph has {} inputs and {} outputs, where {} and {} are needed", node.str(),
                        body.inputs.size(), body.outputs.size(), inputs, outputs);
}

at::Tensor truth(bool value) {
  return at::scalar_tensor(value, at::kBool);
}

}  // namespace

int64_t Folding::known_number(const DraftNode& node, const Known& known, const char* what) const {
  if (!known.is_known())
    throw request_error("{}: {} is computed from the network's inputs, so that it cannot be unrolled", node.str(), what)
        .hint("only conditions and counts that are constant or follow from shapes are supported; export the model "
              "without this branch or loop");
  if (known.value[0].numel() != 1 || known.value[1].numel() != 1)
    throw request_error("{}: {} must be one number", node.str(), what);
  if (!known.value[0].equal(known.value[1]))
    throw request_error("{}: {} depends on the batch size", node.str(), what)
        .hint("export the model with a fixed batch");
  return integers_of(known.value[0])[0];
}

std::string Folding::fresh(const DraftNode& node) {
  return fmt::format("{}%{}/", node.outputs.front(), ++unrolled_);
}

Folding::Values Folding::visit_body(const Body& body, Scope& scope) {
  for (const auto& [value, constant] : body.constants) {
    const auto name = scope.names[value] = scope.constants + value;
    if (!known_.contains(name)) know_constant(name, constant.value, constant.name);
  }
  for (const auto& node : body.nodes)
    for (const auto& output : node.outputs) scope.names[output] = scope.prefix + output;
  for (const auto& value : body.outer)
    if (!known_.contains(resolve(value, &scope)))
      throw request_error("a subgraph reads '{}', which nothing makes", value)
          .hint("the file is damaged; export the model again");
  for (const auto& node : body.nodes) visit(node, &scope);
  Values outputs;
  for (const auto& output : body.outputs) outputs.push_back(resolve(output, &scope));
  return outputs;
}

void Folding::unroll_if(const DraftNode& node, const std::vector<Known>& inputs, const Scope* scope) {
  if (inputs.size() != 1) throw request_error("{} must have one input", node.str());
  const auto condition = known_number(node, inputs[0], "the condition");
  const auto& body = body_of(node, condition != 0 ? "then_branch" : "else_branch");
  check_counts(node, body, 0, node.outputs.size());
  const auto prefix = fresh(node);
  Scope inner{.outer = scope, .prefix = prefix, .path = node.name + "/", .constants = prefix};
  const auto values = visit_body(body, inner);
  for (size_t k = 0; k < node.outputs.size(); ++k) stand_for(node.outputs[k], values[k]);
}

void Folding::unroll_loop(const DraftNode& node, const std::vector<Known>& inputs, const Scope* scope) {
  const auto& body = body_of(node, "body");
  if (inputs.size() < 2) throw request_error("{} must have at least two inputs", node.str());
  const auto carried = inputs.size() - 2;
  check_counts(node, body, inputs.size(), std::max(node.outputs.size() + 1, carried + 1));
  const auto limit =
      node.has_input(0) ? known_number(node, inputs[0], "the number of iterations") : kMostIterations + 1;
  bool goes_on = !node.has_input(1) || known_number(node, inputs[1], "the condition") != 0;
  Values values(node.inputs.begin() + 2, node.inputs.end());
  for (const auto& value : values)
    if (value.empty()) throw request_error("{} leaves out an initial value", node.str());
  const auto constants = fresh(node);
  std::vector<Values> scans(body.outputs.size() - 1 - carried);
  for (int64_t i = 0; i < limit && goes_on; ++i) {
    if (i == kMostIterations) throw request_error("{} runs more than {} times", node.str(), kMostIterations);
    Scope inner{
        .outer = scope, .prefix = fresh(node), .path = fmt::format("{}/{}/", node.name, i), .constants = constants};
    for (size_t k = 0; k < body.inputs.size(); ++k)
      inner.names[body.inputs[k]] = k < 2 ? inner.prefix + body.inputs[k] : values[k - 2];
    know_constant(inner.prefix + body.inputs[0], integer_list({i}).reshape({}), "");
    know_constant(inner.prefix + body.inputs[1], truth(true), "");
    const auto made = visit_body(body, inner);
    goes_on = known_number(node, known_.at(made[0]), "the condition") != 0;
    values.assign(made.begin() + 1, made.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
    for (size_t k = 0; k < scans.size(); ++k) scans[k].push_back(made[1 + carried + k]);
  }
  for (size_t k = 0; k < node.outputs.size(); ++k) {
    if (k < carried)
      stand_for(node.outputs[k], values[k]);
    else
      stack(node, node.outputs[k], scans[k - carried]);
  }
}

void Folding::stack(const DraftNode& node, const std::string& output, const Values& parts) {
  if (parts.empty())
    throw request_error("{} runs no iteration, so that its output '{}' has no elements, which is not supported",
                        node.str(), output);
  Values rows;
  for (size_t i = 0; i < parts.size(); ++i) {
    DraftNode unsqueeze{.op = "Unsqueeze", .inputs = {parts[i]}, .opset = node.opset};
    unsqueeze.outputs = {parts.size() == 1 ? output : fmt::format("{}%row{}", output, i)};
    unsqueeze.attributes.set("axes", std::vector<int64_t>{0});
    reads_.insert(unsqueeze.outputs[0]);
    rows.push_back(unsqueeze.outputs[0]);
    visit(std::move(unsqueeze), nullptr);
  }
  if (rows.size() == 1) return;
  DraftNode concat{.op = "Concat", .inputs = rows, .outputs = {output}, .opset = node.opset};
  concat.attributes.set("axis", int64_t{0});
  visit(std::move(concat), nullptr);
}

}  // namespace compress::io
