#include "core/text.h"
#include "exec/convolution.h"
#include "exec/folded_convolution.h"
#include "exec/fuse.h"
#include "exec/linear.h"
#include "exec/memory_format.h"
#include "exec/normalization.h"
#include "exec/program.h"
#include "exec/rounded_addition.h"
#include "exec/slices.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>
#include <set>

namespace compress::exec {

namespace {

using Names = std::set<std::string, std::less<>>;

std::optional<ops::Infos> try_infer(const Graph& graph, int64_t batch) {
  try {
    return ops::infer(graph, batch);
  } catch (const Error&) {
    return std::nullopt;  // shapes that depend on data: such a graph runs, but is not optimised by shape
  }
}

void check_observed(const Graph& graph, const std::vector<std::string>& observed) {
  std::vector<std::string> known;
  for (const auto& input : graph.inputs) known.push_back(input.name);
  for (const Node& node : graph.nodes())
    for (int k = 0; k < node.outputs; ++k) known.push_back(node.output(k));
  for (const auto& name : observed)
    if (std::ranges::find(known, name) == known.end())
      throw request_error("graph '{}' has no value '{}' to observe", graph.name, name).hint(did_you_mean(name, known));
}

class Compiler {
public:
  Compiler(const Graph& graph, const PlanOptions& options) : graph_(graph), options_(options) {
    program_.graph = graph.name;
    program_.mode = options.mode;
    program_.inputs = graph.inputs;
    program_.channels_last = options.optimize && prefers_channels_last(graph);
  }

  Program compile() {
    check_observed(graph_, options_.observe);
    const auto infos = try_infer(graph_, 2);
    find_constants();
    for (const auto& input : graph_.inputs) new_slot(input.name);
    const auto groups = find_groups(infos);
    for (const auto& group : groups) add_step(group);
    for (const auto& output : graph_.outputs) program_.outputs.push_back(operand(output.value));
    find_lifetimes();
    find_cuts(groups);
    attach_observer();
    if (options_.mode == Mode::eval && options_.optimize && infos)
      program_.slice = slice_size(graph_, *infos, [this](auto name) { return is_constant(name); });
    program_.held = {held_.begin(), held_.end()};
    return std::move(program_);
  }

  /// Makes anew what follows from these parameters, in a program that was compiled from a graph of the same nodes.
  void refresh(Program& program, std::span<const std::string> parameters) {
    find_constants();
    const auto groups = find_groups(try_infer(graph_, 2));
    const auto same = [](const Group& group, const Step& step) { return group.last().name == step.node; };
    if (!std::ranges::equal(groups, program.steps, same))
      throw run_error("graph '{}' has other nodes than when its plan was made", graph_.name);
    const auto changed = followers(parameters);
    for (const auto& [name, place] : program.held)
      if (changed.contains(name)) program.constants[place] = constants_.at(name).detach().clone();
    for (auto& [name, value] : program.observed_constants)
      if (changed.contains(name)) value = constants_.at(name);
    for (size_t i = 0; i < groups.size(); ++i)
      if (reads(groups[i], changed)) exchange_kernel(program.steps[i], groups[i]);
  }

private:
  std::vector<Group> find_groups(const std::optional<ops::Infos>& infos) const {
    return group_nodes({.graph = graph_,
                        .options = options_,
                        .infos = infos ? &*infos : nullptr,
                        .is_constant = [this](auto name) { return is_constant(name); },
                        .packs = [this](const Node& node) { return packs(node); }});
  }

  static bool reads(const Group& group, const Names& names) {
    return std::ranges::any_of(group.nodes(), [&](const Node* node) {
      return std::ranges::any_of(node->inputs, [&](const auto& input) { return names.contains(input); });
    });
  }

  /// The parameters and every known value that follows from one of them.
  Names followers(std::span<const std::string> parameters) const {
    Names names(parameters.begin(), parameters.end());
    for (const Node& node : graph_.nodes()) {
      const auto follows = [&](const std::string& input) { return names.contains(input); };
      if (!is_constant(node.output()) || std::ranges::none_of(node.inputs, follows)) continue;
      for (int k = 0; k < node.outputs; ++k) names.insert(node.output(k));
    }
    return names;
  }

  void exchange_kernel(Step& step, const Group& group) {
    auto parts = make_kernel(group);
    step.kernel = std::move(parts.kernel);
    step.overwriting = std::move(parts.overwriting);
    choose_overwriting(step);
  }

  bool is_constant(std::string_view name) const { return constants_.contains(name); }

  Constants lookup() const {
    return [this](std::string_view name) {
      const auto found = constants_.find(name);
      return found == constants_.end() ? at::Tensor() : found->second;
    };
  }

  bool packs(const Node& node) const {
    if (!options_.optimize || options_.mode == Mode::train) return false;
    return can_pack_convolution(node, lookup()) || can_pack_linear(node, lookup());
  }

  /// Parameters, and in evaluation every value that follows from parameters alone.
  void find_constants() {
    for (const auto& parameter : graph_.parameters()) constants_[parameter.name] = parameter.value;
    if (options_.mode == Mode::train) return;
    const at::NoGradGuard no_grad;
    for (const Node& node : graph_.nodes()) {
      const auto known = [this](const std::string& name) { return name.empty() || is_constant(name); };
      if (!std::ranges::all_of(node.inputs, known)) continue;
      Tensors inputs;
      for (const auto& name : node.inputs) inputs.push_back(name.empty() ? at::Tensor() : constants_[name]);
      auto values = run_node(node, inputs, Mode::eval);
      for (int k = 0; k < node.outputs; ++k) constants_[node.output(k)] = values[k];
    }
  }

  int new_slot(const std::string& value) {
    const int slot = static_cast<int>(program_.slots.size());
    slot_of_[value] = slot;
    program_.slots.push_back(value);
    return slot;
  }

  Operand operand(const std::string& name) {
    if (name.empty()) return {};
    if (const auto slot = slot_of_.find(name); slot != slot_of_.end()) return {Operand::Kind::slot, slot->second};
    auto [place, is_new] = held_.try_emplace(name, static_cast<int>(program_.constants.size()));
    // An eval plan keeps what it saw; a train plan follows the graph's own tensors.
    const auto& value = constants_.at(name);
    if (is_new) program_.constants.push_back(options_.mode == Mode::train ? value : value.detach().clone());
    return {Operand::Kind::constant, place->second};
  }

  void add_step(const Group& group) {
    auto parts = make_kernel(group);
    Step step{
        .node = group.last().name, .kernel = std::move(parts.kernel), .overwriting = std::move(parts.overwriting)};
    for (const auto* node : group.nodes()) step.what += (step.what.empty() ? "" : " + ") + node->op;
    for (const auto& name : parts.inputs) step.inputs.push_back(operand(name));
    step.outputs = group.last().outputs;
    for (int k = 0; k < step.outputs; ++k) {
      const int slot = new_slot(group.last().output(k));
      if (k == 0) step.first_output = slot;
    }
    if (std::ranges::find(options_.frozen, group.first->name) != options_.frozen.end())
      step.kernel = as_in_evaluation(std::move(step.kernel));
    program_.steps.push_back(std::move(step));
  }

  static ops::Kernel as_in_evaluation(ops::Kernel kernel) {
    return [kernel = std::move(kernel)](ops::Call& call) {
      call.mode = Mode::eval;
      kernel(call);
    };
  }

  FusedKernel make_kernel(const Group& group) {
    if (options_.optimize && is_normalization(group)) return normalization_kernel(group);
    if (options_.optimize && options_.mode == Mode::train && is_folded_convolution(group))
      return folded_convolution_kernel(group);
    if (group.first->op == "Add" && group.quantizer) return rounded_addition_kernel(group);
    if (packs(*group.first))
      return group.first->op == "Gemm" ? linear_kernel(group, lookup()) : convolution_kernel(group, lookup());
    return {.kernel = ops::op_of(*group.first).kernel(*group.first), .inputs = group.first->inputs};
  }

  void find_lifetimes() {
    std::vector<int> last(program_.slots.size(), -1);
    for (int i = 0; i < static_cast<int>(program_.steps.size()); ++i) {
      const auto& step = program_.steps[i];
      for (int k = 0; k < step.outputs; ++k) last[step.first_output + k] = i;
      for (const auto& input : step.inputs)
        if (input.kind == Operand::Kind::slot) last[input.index] = i;
    }
    for (const auto& output : program_.outputs)
      if (output.kind == Operand::Kind::slot) last[output.index] = -1;
    for (size_t slot = 0; slot < last.size(); ++slot)
      if (last[slot] >= 0) program_.steps[last[slot]].freed.push_back(static_cast<int>(slot));
    for (auto& step : program_.steps) choose_overwriting(step);
  }

  /// A step may write over what it adds when nobody reads that afterwards, and when it is not what the step reads
  /// besides.
  static void choose_overwriting(Step& step) {
    if (!step.overwriting) return;
    const int other = step.inputs.back().index;
    const bool dies = std::ranges::find(step.freed, other) != step.freed.end();
    if (dies && step.inputs.front().index != other) step.kernel = std::move(step.overwriting);
    step.overwriting = nullptr;
  }

  /// A fused step runs at the place of its last node, so nodes behind `node` may have run before it: what counts is the
  /// earliest of all.
  void find_cuts(const std::vector<Group>& groups) {
    std::map<const Node*, size_t> step_of;
    for (size_t i = 0; i < groups.size(); ++i)
      for (const auto* node : groups[i].nodes()) step_of[node] = i;
    size_t cut = groups.size();
    std::vector<const Node*> nodes;
    for (const Node& node : graph_.nodes()) nodes.push_back(&node);
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      if (const auto step = step_of.find(*node); step != step_of.end()) cut = std::min(cut, step->second);
      program_.cuts[(*node)->name] = cut;
    }
  }

  void attach_observer() {
    const Names observed(options_.observe.begin(), options_.observe.end());
    for (auto& step : program_.steps)
      for (int k = 0; k < step.outputs; ++k)
        if (observed.contains(program_.slots[step.first_output + k])) step.observed.push_back(step.first_output + k);
    for (const auto& name : observed) {
      if (graph_.is_input(name)) program_.observed_inputs.push_back(name);
      if (is_constant(name)) program_.observed_constants.emplace_back(name, constants_[name]);
    }
  }

  const Graph& graph_;
  const PlanOptions& options_;
  Program program_;
  std::map<std::string, at::Tensor, std::less<>> constants_;
  std::map<std::string, int, std::less<>> slot_of_;
  std::map<std::string, int, std::less<>> held_;
};

}  // namespace

Program compile(const Graph& graph, const PlanOptions& options) {
  return Compiler(graph, options).compile();
}

void refresh(Program& program,
             const Graph& graph,
             const PlanOptions& options,
             std::span<const std::string> parameters) {
  if (options.mode == Mode::eval) Compiler(graph, options).refresh(program, parameters);
}

}  // namespace compress::exec
