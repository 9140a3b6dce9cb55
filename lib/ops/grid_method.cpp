#include "ops/grid_method.h"

#include "core/text.h"
#include "ops/shape.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::ops {

#define ENTRY(name) extern const GridMethod name##_method;
#include "ops/grid_method/grid_methods.def"
#undef ENTRY

namespace {

std::string parameter_words(const GridMethod& method) {
  std::vector<std::string> names;
  for (const auto& input : method.inputs) names.emplace_back(input.name);
  return join_words(names);
}

void check_arity(const Node& node, const GridMethod& method) {
  const auto expected = 3 + method.inputs.size();
  bool complete = node.inputs.size() == expected;
  for (size_t i = 0; complete && i < expected; ++i) complete = node.has_input(i);
  if (complete) return;
  if (method.inputs.empty())
    throw request_error("method '{}' takes three inputs: value, scale and zero point", method.name);
  throw request_error("method '{}' needs the input{} {}", method.name, method.inputs.size() == 1 ? "" : "s",
                      parameter_words(method))
      .hint("behind value, scale and zero point");
}

/// Whatever belongs to other methods only would be ignored.
void check_attributes_of(const Node& node, const GridMethod& method) {
  for (const auto* other : grid_methods())
    for (const auto& attribute : other->attributes)
      if (node.attributes.has(attribute.name) &&
          std::ranges::find(method.attributes, attribute.name, &AttributeSpec::name) == method.attributes.end())
        throw request_error("attribute '{}' is one of method '{}', but the method is '{}'", attribute.name, other->name,
                            method.name);
}

bool takes_slot(const GridMethod& method) {
  return std::ranges::any_of(method.inputs, &MethodInput::per_value);
}

void check_numbers(const InferCall& call, size_t input, int64_t expected) {
  if (elements(call.shape(input)) != expected)
    throw request_error("input {} has shape {}, but {} number(s) are needed", input, shape_text(call.shape(input)),
                        expected);
}

}  // namespace

std::span<const GridMethod* const> grid_methods() {
#define ENTRY(name) &name##_method,
  static constexpr const GridMethod* kMethods[] = {
#include "ops/grid_method/grid_methods.def"
  };
#undef ENTRY
  return kMethods;
}

const GridMethod& grid_method(std::string_view name) {
  std::vector<std::string> names;
  for (const auto* method : grid_methods()) {
    if (method->name == name) return *method;
    names.emplace_back(method->name);
  }
  throw request_error("unknown method '{}' of a quantiser", name)
      .hint(did_you_mean(name, names))
      .hint("allowed are " + join_words(names));
}

const GridMethod& grid_method(const Node& node) {
  return grid_method(node.attributes.text("method", "fixed"));
}

std::string_view grid_method_words() {
  static const auto words = [] {
    std::string all;
    for (const auto* method : grid_methods()) all += (all.empty() ? "" : "|") + std::string(method->name);
    return all;
  }();
  return words;
}

GridSpec method_spec(const Node& node) {
  const auto bits = node.attributes.integer("bits", 8);
  if (bits >= 2 || bits < grid_method(node).min_bits) return grid_spec(node);
  auto allowed = node;
  allowed.attributes.set("bits", int64_t{2});
  auto spec = grid_spec(allowed);
  spec.bits = static_cast<int>(bits);
  return spec;
}

void check_method(const InferCall& call) {
  const auto& method = grid_method(call.node);
  check_arity(call.node, method);
  method_spec(call.node);
  check_attributes_of(call.node, method);
  if (method.check) method.check(call.node);
  const auto slot = call.node.attributes.integer("slot", -1);
  if (slot >= 0 && !takes_slot(method))
    throw request_error("method '{}' has no slots: values that share a grid share its inputs", method.name);
  const auto grids = elements(call.shape(1));
  check_numbers(call, 2, grids);
  for (size_t i = 0; i < method.inputs.size(); ++i) {
    const auto& shape = call.shape(3 + i);
    if (slot >= 0 && method.inputs[i].per_value) {
      if (grids != 1 || shape.size() != 1 || slot >= shape[0])
        throw request_error("attribute 'slot' is {}, but input {} has shape {}", slot, 3 + i, shape_text(shape));
    } else {
      check_numbers(call, 3 + i, method.inputs[i].single ? 1 : grids);
    }
  }
}

Settled settled(const Node& node, std::span<const at::Tensor* const> inputs) {
  const at::NoGradGuard no_grad;
  return grid_method(node).settle(
      {.node = node, .spec = method_spec(node), .axes = grid_axes(node), .mode = Mode::eval, .inputs = inputs});
}

Settled settle_stored(const MethodCall& call) {
  return {.spec = call.spec, .grid = call.stored()};
}

}  // namespace compress::ops
