#include "op_examples.h"
#include "ops/channels.h"
#include "support/close.h"
#include "support/gradcheck.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

/// Inputs as the nodes of a graph see them: fresh channels on axis 1 of every value, nothing yet on parameters.
struct Followed {
  AtomPool pool;
  std::vector<ChannelMap> inputs, outputs;
};

Followed follow(const OpExample& example, const Node& node, const std::vector<at::Tensor>& outputs) {
  Followed result;
  const auto is_parameter = parameters_of(example.text);
  std::vector<ChannelMap> maps;
  for (size_t i = 0; i < example.inputs.size(); ++i) {
    const auto& input = example.inputs[i];
    ChannelMap map(input.defined() ? static_cast<size_t>(input.dim()) : 0);
    if (!is_parameter[i] && map.size() > 1) map[1] = result.pool.fresh(input.size(1));
    maps.push_back(map);
  }
  ChannelFlow flow(node, result.pool, infos_of(example.inputs), infos_of(outputs), maps, is_parameter);
  op_of(node).channels(flow);
  result.inputs = flow.input_maps();
  result.outputs = flow.output_maps();
  return result;
}

/// What stays of a tensor when the atoms of one class go; `zero` keeps its shape and clears what goes.
at::Tensor without(const at::Tensor& tensor, const ChannelMap& map, const std::vector<bool>& kept, bool zero) {
  auto result = tensor;
  for (int64_t axis = 0; axis < std::ssize(map); ++axis) {
    const auto& atoms = map[static_cast<size_t>(axis)];
    if (atoms.empty()) continue;
    std::vector<int64_t> stay, go;
    for (int64_t k = 0; k < std::ssize(atoms); ++k)
      (kept[static_cast<size_t>(atoms[static_cast<size_t>(k)])] ? stay : go).push_back(k);
    result = zero ? result.index_fill(axis, integers(go), 0) : result.index_select(axis, integers(stay));
  }
  return result;
}

/// Removing one class of channels from node and inputs gives the outputs that stay when its inputs are zero.
void check_removal(const OpExample& example, const Node& node, const Followed& followed, Atom removed) {
  std::vector<bool> kept;
  for (Atom atom = 0; atom < static_cast<Atom>(followed.pool.size()); ++atom)
    kept.push_back(followed.pool.find(atom) != removed);
  std::vector<at::Tensor> cleared, sliced;
  for (size_t i = 0; i < example.inputs.size(); ++i) {
    const auto& input = example.inputs[i];
    cleared.push_back(input.defined() ? without(input, followed.inputs[i], kept, true) : input);
    sliced.push_back(input.defined() ? without(input, followed.inputs[i], kept, false) : input);
  }
  std::vector<const ChannelMap*> maps;
  for (const auto& map : followed.inputs) maps.push_back(&map);
  auto smaller = node;
  op_of(node).resize(smaller, Resize(maps.data(), maps.size(), followed.outputs.data(), followed.outputs.size(), kept));
  const auto expected = run_op(node, cleared);
  const auto actual = run_op(smaller, sliced);
  for (size_t k = 0; k < actual.size(); ++k)
    require_close(actual[k], without(expected[k], followed.outputs[k], kept, false), 1e-9);
}

}  // namespace

TEST_CASE("every operator states every facet", "[ops][contract]") {
  for (const auto* op : all_ops()) {
    INFO(op->name);
    REQUIRE_FALSE(op->doc.empty());
    REQUIRE(op->kernel);
    REQUIRE(op->infer);
    REQUIRE(op->macs);
    REQUIRE(op->channels);
    REQUIRE(op->resize);
    REQUIRE((op->quantization != Quantization::weighted || (op->weight_input > 0 && op->weight_axis)));
    REQUIRE(std::ranges::is_sorted(op->constant_inputs, {}, &ConstantInput::index));
    for (const auto& input : op->constant_inputs)
      REQUIRE(std::ranges::find(op->attributes, input.attribute, &AttributeSpec::name) != op->attributes.end());
  }
}

TEST_CASE("every operator has an example", "[ops][contract]") {
  std::set<std::string> seen;
  for (const auto& example : op_examples()) seen.insert(node_of(example.text).op);
  for (const auto* op : all_ops()) {
    INFO(op->name);
    REQUIRE(seen.contains(std::string(op->name)));
  }
}

TEST_CASE("every operator: inferred shapes and types are those of a run", "[ops][contract]") {
  for (const auto& example : op_examples()) {
    INFO(example.text);
    const auto node = node_of(example.text);
    check_node(node);
    if (node.op == "Range") continue;  // depends on data; its message is tested in unit/ops
    const auto inputs = infos_of(example.inputs);
    const auto inferred = op_of(node).infer({.node = node, .inputs = inputs});
    const auto run = infos_of(run_op(node, example.inputs, example.mode));
    REQUIRE(inferred.size() == run.size());
    for (size_t k = 0; k < run.size(); ++k) {
      REQUIRE(inferred[k].shape == run[k].shape);
      REQUIRE(inferred[k].type == run[k].type);
    }
    REQUIRE(op_of(node).macs(node, inputs, inferred) >= 0);
  }
}

TEST_CASE("every operator: gradients are the differences", "[ops][contract]") {
  for (const auto& example : op_examples()) {
    INFO(example.text);
    const auto node = node_of(example.text);
    if (op_of(node).gradient != Gradient::yes || example.inputs[0].scalar_type() != at::kDouble) continue;
    const auto inputs = infos_of(example.inputs);
    if (op_of(node).infer({.node = node, .inputs = inputs})[0].type != at::kDouble) continue;  // Cast
    check_gradients(node, example.inputs, example.mode, example.constants);
  }
}

TEST_CASE("every operator: a channel that goes takes along what belongs to it and nothing else", "[ops][contract]") {
  int removed = 0;
  for (const auto& example : op_examples()) {
    INFO(example.text);
    const auto node = node_of(example.text);
    if (example.mode == Mode::train) continue;
    const auto outputs = run_op(node, example.inputs);
    const auto followed = follow(example, node, outputs);
    for (size_t k = 0; k < outputs.size(); ++k) {
      REQUIRE(std::ssize(followed.outputs[k]) == outputs[k].dim());
      for (int64_t axis = 0; axis < outputs[k].dim(); ++axis) {
        const auto& atoms = followed.outputs[k][static_cast<size_t>(axis)];
        REQUIRE((atoms.empty() || std::ssize(atoms) == outputs[k].size(axis)));
      }
    }
    for (Atom atom = 0; atom < static_cast<Atom>(followed.pool.size()); ++atom) {
      if (followed.pool.find(atom) != atom || !followed.pool.blocked(atom).empty()) continue;
      check_removal(example, node, followed, atom);
      ++removed;
    }
  }
  REQUIRE(removed > 200);
}

TEST_CASE("docs/operators.md holds the table of operators", "[ops][contract]") {
  const std::string path = "docs/operators.md";  // tests run at the root of the project
  const auto expected =
      "# Operators\n\nWritten by `tests/contract/ops.cpp` from lib/ops; run it with `COMPRESS_ACCEPT=1` "
      "after a change.\n\n" +
      coverage_table();
  if (const char* accept = std::getenv("COMPRESS_ACCEPT"); accept && *accept == '1') std::ofstream(path) << expected;
  std::ifstream file(path);
  std::stringstream found;
  found << file.rdbuf();
  REQUIRE(found.str() == expected);
}
