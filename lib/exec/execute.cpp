#include "core/error.h"
#include "exec/program.h"

#include <ATen/core/Tensor.h>

namespace compress::exec {

namespace {

/// Points at the operands of one step after the other.
class Operands {
public:
  Operands(const Program& program, const std::vector<at::Tensor>& slots) : program_(program), slots_(slots) {}

  std::span<const at::Tensor* const> of(const Step& step) {
    pointers_.clear();
    for (const auto& input : step.inputs) pointers_.push_back(pointer(input));
    return pointers_;
  }

private:
  const at::Tensor* pointer(const Operand& operand) const {
    switch (operand.kind) {
    case Operand::Kind::slot: return &slots_[operand.index];
    case Operand::Kind::constant: return &program_.constants[operand.index];
    case Operand::Kind::absent: break;
    }
    return nullptr;
  }

  const Program& program_;
  const std::vector<at::Tensor>& slots_;
  std::vector<const at::Tensor*> pointers_;
};

[[noreturn]] void rethrow(const Step& step) {
  auto error = current_error();
  error.during(fmt::format("running node '{}' ({})", step.node, step.what));
  throw error;
}

}  // namespace

void execute(
    const Program& program, size_t first, size_t last, std::vector<at::Tensor>& slots, const Observer& observer) {
  Operands operands(program, slots);
  for (size_t i = first; i < last; ++i) {
    const Step& step = program.steps[i];
    try {
      const auto outputs = std::span(slots).subspan(step.first_output, step.outputs);
      ops::Call call{.inputs = operands.of(step), .outputs = outputs, .mode = program.mode};
      step.kernel(call);
    } catch (...) {
      rethrow(step);
    }
    if (observer)
      for (const int slot : step.observed) observer(program.slots[slot], slots[slot]);
    for (const int slot : step.freed) slots[slot].reset();
  }
}

}  // namespace compress::exec
