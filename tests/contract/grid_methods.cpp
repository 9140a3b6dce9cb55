#include "ops/grid_method.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <algorithm>

/// What every method of FakeQuantize must do, on every kind of grid that it takes. (Those that never settle, since each
/// call makes its grid anew, have tests of their own.)
using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

struct MethodExample {
  Node node;
  std::vector<at::Tensor> inputs;
};

bool accepted(const Node& node, const std::vector<at::Tensor>& inputs) {
  try {
    const auto infos = infos_of(inputs);
    op_of(node).infer({.node = node, .inputs = infos});
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The weight [4, 6], some of it masked, on a grid over its own range.
MethodExample method_example(const GridMethod& method, const GridSpec& spec, GridAxes axes) {
  Node node{.name = "q", .op = "FakeQuantize", .inputs = {"x", "s", "z"}};
  node.attributes.set("method", std::string(method.name));
  set_grid(node.attributes, spec);
  if (axes.axis >= 0) node.attributes.set("axis", axes.axis);
  if (axes.group_size > 0) {
    node.attributes.set("input_axis", axes.input_axis);
    node.attributes.set("group_size", axes.group_size);
  }
  auto x = wild({4, 6}).mul(1.7).to(at::kFloat);
  x.masked_fill_(wild({4, 6}, 1).gt(0.4), 0);
  const auto range = value_range(x, axes);
  const auto grid = make_grid(range.min, range.max, spec);
  std::vector<at::Tensor> inputs{x, grid.scale, grid.zero_point};
  const auto first = method.start ? method.start(range, spec) : std::vector<at::Tensor>();
  for (size_t i = 0; i < method.inputs.size(); ++i) {
    node.inputs.emplace_back(method.inputs[i].name);
    auto value = i < first.size() ? first[i] : grid.scale.mul(0);
    inputs.push_back(method.inputs[i].single ? value.flatten()[0].clone() : value);
  }
  return {node, inputs};
}

std::vector<MethodExample> method_examples(const GridMethod& method) {
  std::vector<MethodExample> all;
  const std::pair<bool, bool> forms[] = {{true, true}, {false, true}, {true, false}, {false, false}};
  for (const auto& [is_signed, symmetric] : forms)
    for (const int bits : {1, 2, 4, 8})
      for (const auto& axes : {GridAxes(), GridAxes(0), GridAxes(0, 1, 3)}) {
        const GridSpec spec{.bits = bits, .is_signed = is_signed, .symmetric = symmetric};
        if (bits < method.min_bits) continue;
        auto one = method_example(method, spec, axes);
        if (accepted(one.node, one.inputs)) all.push_back(std::move(one));
      }
  return all;
}

std::vector<at::Tensor> clones_of(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> all;
  for (const auto& tensor : tensors) all.push_back(tensor.clone());
  return all;
}

Settled settled_of(const MethodExample& one) {
  std::vector<const at::Tensor*> pointers;
  for (const auto& input : one.inputs) pointers.push_back(&input);
  return settled(one.node, pointers);
}

/// The `fixed` node that takes the place of one that is settled.
MethodExample fixed_form(const MethodExample& one) {
  const auto result = settled_of(one);
  MethodExample fixed{
      one.node, {result.value.defined() ? result.value : one.inputs[0], result.grid.scale, result.grid.zero_point}};
  fixed.node.attributes.set("method", std::string("fixed"));
  for (const auto& attribute : grid_method(one.node).attributes) fixed.node.attributes.erase(attribute.name);
  set_grid(fixed.node.attributes, result.spec);
  fixed.node.inputs.resize(3);
  return fixed;
}

template <class Test>
void for_all_examples(const Test& test) {
  for (const auto* method : grid_methods()) {
    if (method->settle == nullptr) continue;
    const auto all = method_examples(*method);
    INFO(method->name);
    REQUIRE_FALSE(all.empty());
    for (auto one : all) {
      // One training step moves the methods that follow the value.
      const at::NoGradGuard no_grad;
      run_op(one.node, one.inputs, Mode::train);
      INFO(fmt::format("{} {} bits, signed {}, symmetric {}, {} scales", method->name,
                       one.node.attributes.integer("bits", 0), one.node.attributes.integer("signed", -1),
                       one.node.attributes.integer("symmetric", -1), one.inputs[1].numel()));
      test(*method, one);
    }
  }
}

}  // namespace

TEST_CASE("grid methods: evaluation is, to the bit, what the settled quantiser gives, and changes nothing") {
  for_all_examples([](const GridMethod&, const MethodExample& one) {
    const auto before = clones_of(one.inputs);
    const auto y = run_op(one.node, one.inputs)[0];
    for (size_t i = 0; i < before.size(); ++i) REQUIRE(one.inputs[i].equal(before[i]));
    const auto fixed = fixed_form(one);
    REQUIRE(accepted(fixed.node, fixed.inputs));
    REQUIRE(run_op(fixed.node, fixed.inputs)[0].equal(y));
  });
}

TEST_CASE("grid methods: settling is done once; what is on the grid stays") {
  for_all_examples([](const GridMethod&, const MethodExample& one) {
    auto fixed = fixed_form(one);
    const auto y = run_op(fixed.node, fixed.inputs)[0];
    const auto again = fixed_form(fixed);
    REQUIRE(again.inputs[1].equal(fixed.inputs[1]));
    REQUIRE(again.inputs[2].equal(fixed.inputs[2]));
    fixed.inputs[0] = y;
    REQUIRE(run_op(fixed.node, fixed.inputs)[0].equal(y));
  });
}

TEST_CASE("grid methods: exact zeros stay exact zeros, in training and settled") {
  for_all_examples([](const GridMethod&, const MethodExample& one) {
    const auto zeros = one.inputs[0].eq(0);
    const auto fixed = fixed_form(one);
    for (const auto& y : {run_op(one.node, one.inputs, Mode::train)[0], run_op(one.node, one.inputs)[0],
                          run_op(fixed.node, fixed.inputs)[0]})
      REQUIRE(y.masked_select(zeros).eq(0).all().item<bool>());
  });
}

TEST_CASE("grid methods: the value and what is trainable have finite gradients, the rest has none") {
  for_all_examples([](const GridMethod& method, const MethodExample& one) {
    const at::AutoGradMode gradients(true);
    auto inputs = clones_of(one.inputs);
    inputs[0].set_requires_grad(true);
    inputs[1].set_requires_grad(method.learns_scale);
    for (size_t i = 3; i < inputs.size(); ++i) inputs[i].set_requires_grad(method.inputs[i - 3].trainable);
    run_op(one.node, inputs, Mode::train)[0].mul(wild({4, 6}, 3).to(at::kFloat)).sum().backward();
    bool learns = false;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto gradient = inputs[i].grad();
      REQUIRE((inputs[i].requires_grad() || !gradient.defined()));
      if (gradient.defined()) REQUIRE(gradient.isfinite().all().item<bool>());
      learns = learns || (i > 0 && gradient.defined());
    }
    // (The lower end of an unsigned symmetric range is 0, whatever its parameter says.)
    const bool trains = method.learns_scale || std::ranges::any_of(method.inputs, &MethodInput::trainable);
    REQUIRE(learns == trains);
    REQUIRE(inputs[0].grad().abs().sum().item<double>() > 0);
  });
}

TEST_CASE("grid methods: a grid that starts from a range covers it to within a step and a half") {
  for (const auto* method : grid_methods())
    if (method->needs_range)
      for (const auto& one : method_examples(*method)) {
        const auto fixed = fixed_form(one);
        if (one.node.attributes.integer("signed", 1) == 0 && one.node.attributes.integer("symmetric", 1) == 1) continue;
        INFO(method->name << " " << one.node.attributes.integer("bits", 0) << " bits, " << one.inputs[1].numel());
        const auto y = run_op(one.node, one.inputs)[0];
        REQUIRE(y.sub(one.inputs[0]).abs().max().item<double>() <= 1.5 * fixed.inputs[1].max().item<double>() + 1e-6);
      }
}
