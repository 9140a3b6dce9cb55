#include "exec/plan.h"

#include "core/text.h"
#include "exec/memory.h"
#include "exec/memory_format.h"
#include "exec/program.h"
#include "exec/slices.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>

namespace compress::exec {

namespace {

std::string freed_text(const Program& program, const Step& step) {
  std::vector<std::string> names;
  for (const int slot : step.freed) names.push_back(program.slots[slot]);
  return names.empty() ? "" : "  frees " + join(names, ", ");
}

}  // namespace

struct Plan::Impl {
  Impl(const Graph& graph, PlanOptions given)
      : options(std::move(given)), program(compile(graph, options)), version(graph.version()) {}

  /// Throws when the inputs do not fit the graph.
  void check(std::span<const at::Tensor> inputs) const {
    if (inputs.size() != program.inputs.size())
      throw run_error("graph '{}' takes {} inputs, but got {}", program.graph, program.inputs.size(), inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) check_input(program.inputs[i], inputs[i]);
  }

  void check_input(const GraphInput& wanted, const at::Tensor& given) const {
    const bool fits = given.defined() && given.sizes().size() == wanted.shape.size() &&
                      std::ranges::equal(wanted.shape, given.sizes(),
                                         [](int64_t want, int64_t have) { return want == kBatch || want == have; });
    if (!fits)
      throw run_error("input '{}' has shape {}, but graph '{}' takes {}", wanted.name,
                      given.defined() ? shape_text(given.sizes()) : "none", program.graph, shape_of(wanted));
    if (given.scalar_type() != wanted.type)
      throw run_error("input '{}' has elements of type {}, but graph '{}' takes {}", wanted.name,
                      c10::toString(given.scalar_type()), program.graph, c10::toString(wanted.type));
  }

  static std::string shape_of(const GraphInput& input) {
    std::vector<std::string> sizes;
    for (const auto size : input.shape) sizes.push_back(size == kBatch ? "N" : std::to_string(size));
    return join(sizes, "x");
  }

  Tensors slots_with(std::span<const at::Tensor> inputs) const {
    Tensors slots(program.slots.size());
    for (size_t i = 0; i < inputs.size(); ++i)
      slots[i] = program.channels_last && inputs[i].dim() == 4 ? to_channels_last(inputs[i]) : inputs[i];
    return slots;
  }

  void observe_given(const Tensors& slots) const {
    if (!options.observer) return;
    for (const auto& name : program.observed_inputs)
      for (size_t i = 0; i < program.inputs.size(); ++i)
        if (program.inputs[i].name == name) options.observer(name, slots[i]);
    for (const auto& [name, value] : program.observed_constants) options.observer(name, value);
  }

  const at::Tensor& value_of(const Operand& operand, const Tensors& slots) const {
    return operand.kind == Operand::Kind::slot ? slots[operand.index] : program.constants[operand.index];
  }

  Tensors outputs_of(const Tensors& slots) const {
    Tensors outputs;
    for (const auto& output : program.outputs) outputs.push_back(value_of(output, slots).contiguous());
    return outputs;
  }

  Tensors run_whole(std::span<const at::Tensor> inputs) const {
    auto slots = slots_with(inputs);
    observe_given(slots);
    execute(program, 0, program.steps.size(), slots, options.observer);
    return outputs_of(slots);
  }

  size_t cut(std::string_view node) const {
    if (const auto cut = program.cuts.find(node); cut != program.cuts.end()) return cut->second;
    std::vector<std::string> known;
    for (const auto& [name, step] : program.cuts) known.push_back(name);
    throw request_error("graph '{}' has no node '{}'", program.graph, node).hint(did_you_mean(node, known));
  }

  /// Slots that steps from `cut` on, or the outputs, read and that are made before.
  std::vector<int> needed(size_t cut) const {
    std::vector<bool> read(program.slots.size());
    const auto note = [&](const Operand& operand) {
      if (operand.kind == Operand::Kind::slot) read[operand.index] = true;
    };
    std::ranges::for_each(program.outputs, note);
    const auto rest = std::span(program.steps).subspan(cut);
    for (const auto& step : rest) std::ranges::for_each(step.inputs, note);
    for (const auto& step : rest) std::fill_n(read.begin() + step.first_output, step.outputs, false);
    std::vector<int> slots;
    for (int slot = 0; slot < std::ssize(read); ++slot)
      if (read[slot]) slots.push_back(slot);
    return slots;
  }

  /// The saved values in these slots; nothing when one was not saved.
  std::optional<Tensors> find(const std::vector<int>& wanted, const Live& live) const {
    Tensors values;
    for (const int slot : wanted) {
      const auto found =
          std::ranges::find(live.values, program.slots[slot], &std::pair<std::string, at::Tensor>::first);
      if (found == live.values.end()) return std::nullopt;
      values.push_back(found->second);
    }
    return values;
  }

  /// Where a run may go on, at the latest, and the values that it needs there.
  struct Start {
    size_t cut;
    std::vector<int> slots;
    Tensors values;
  };

  /// The plan that saved the values may melt nodes together in another way, and have stopped a few steps earlier.
  Start start_at(std::string_view node, const Live& live) const {
    for (auto at = static_cast<int64_t>(cut(node)); at >= 0; --at) {
      auto slots = needed(static_cast<size_t>(at));
      if (auto values = find(slots, live)) return {static_cast<size_t>(at), std::move(slots), std::move(*values)};
    }
    throw run_error("the saved values do not allow to start graph '{}' from node '{}'", program.graph, node);
  }

  /// The slots after steps first ... last-1.
  Tensors run_steps(const Start& start, std::span<const at::Tensor> values, size_t last) const {
    Tensors slots(program.slots.size());
    for (size_t i = 0; i < start.slots.size(); ++i) slots[start.slots[i]] = values[i];
    execute(program, start.cut, last, slots, options.observer);
    return slots;
  }

  static Tensors pick(const Tensors& slots, const std::vector<int>& wanted) {
    Tensors picked;
    for (const int slot : wanted) picked.push_back(slots[slot]);
    return picked;
  }

  Live live(const std::vector<int>& slots, const Tensors& values) const {
    Live live;
    for (size_t i = 0; i < slots.size(); ++i) live.values.emplace_back(program.slots[slots[i]], values[i]);
    return live;
  }

  /// Train plans follow the caller's gradient mode.
  bool gradients() const { return program.mode == Mode::train && at::GradMode::is_enabled(); }

  PlanOptions options;
  Program program;
  uint64_t version;
};

Plan::Plan(const Graph& graph, PlanOptions options) {
  keep_freed_memory();
  impl_ = std::make_unique<Impl>(graph, std::move(options));
}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

void Plan::refresh(const Graph& graph, std::span<const std::string> parameters) {
  for (const auto& name : parameters) graph.parameter(name);  // an unknown one is an error, not nothing to do
  exec::refresh(impl_->program, graph, impl_->options, parameters);
  impl_->version = graph.version();
}

Tensors Plan::run(std::span<const at::Tensor> inputs) const {
  const auto& impl = *impl_;
  impl.check(inputs);
  const at::AutoGradMode gradients(impl.gradients());
  return run_in_slices(inputs, impl.program.slice, [&](auto part) { return impl.run_whole(part); });
}

Plan::Live Plan::run_until(std::string_view node, std::span<const at::Tensor> inputs) const {
  const auto& impl = *impl_;
  const size_t cut = impl.cut(node);
  const auto needed = impl.needed(cut);
  impl.check(inputs);
  const at::AutoGradMode gradients(impl.gradients());
  const auto values = run_in_slices(inputs, impl.program.slice, [&](auto part) {
    auto slots = impl.slots_with(part);
    impl.observe_given(slots);
    execute(impl.program, 0, cut, slots, impl.options.observer);
    return Impl::pick(slots, needed);
  });
  return impl.live(needed, values);
}

Tensors Plan::run_from(std::string_view node, const Live& live) const {
  const auto& impl = *impl_;
  const at::AutoGradMode gradients(impl.gradients());
  const auto start = impl.start_at(node, live);
  return run_in_slices(start.values, impl.program.slice, [&](auto part) {
    return impl.outputs_of(impl.run_steps(start, part, impl.program.steps.size()));
  });
}

Plan::Live Plan::run_between(std::string_view from, const Live& live, std::string_view to) const {
  const auto& impl = *impl_;
  const at::AutoGradMode gradients(impl.gradients());
  const auto start = impl.start_at(from, live);
  const size_t end = std::max(start.cut, impl.cut(to));
  const auto needed = impl.needed(end);
  const auto values = run_in_slices(start.values, impl.program.slice,
                                    [&](auto part) { return Impl::pick(impl.run_steps(start, part, end), needed); });
  return impl.live(needed, values);
}

uint64_t Plan::version() const {
  return impl_->version;
}

std::string Plan::str() const {
  const auto& program = impl_->program;
  std::string text =
      fmt::format("plan of '{}': {}, {} steps{}{}\n", program.graph, program.mode == Mode::eval ? "eval" : "train",
                  program.steps.size(), program.channels_last ? ", channels-last" : "",
                  program.slice ? fmt::format(", slices of {}", program.slice) : "");
  for (const auto& step : program.steps) {
    std::vector<std::string> inputs;
    for (const auto& input : step.inputs) {
      if (input.kind == Operand::Kind::slot) inputs.push_back(program.slots[input.index]);
    }
    text += fmt::format("{} = {}({}){}\n", step.node, step.what, join(inputs, ", "), freed_text(program, step));
  }
  return text;
}

Tensors run_node(const Node& node, std::span<const at::Tensor> inputs, Mode mode) {
  std::vector<const at::Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(input.defined() ? &input : nullptr);
  Tensors outputs(node.outputs);
  ops::Call call{.inputs = pointers, .outputs = outputs, .mode = mode};
  within(fmt::format("running node '{}' ({})", node.name, node.op), [&] { ops::op_of(node).kernel(node)(call); });
  return outputs;
}

}  // namespace compress::exec
