#include "ops/recurrent_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/lstm.h>

/// Gates in PyTorch's order: input, forget, cell (g), output. Peepholes: input, forget, output.
namespace compress::ops {

namespace {

struct LstmOptions {
  std::vector<GateFunction> functions;
  double clip = 0;
  bool couples = false;  ///< forget = 1 - input

  bool plain() const {
    return functions[0].is("Sigmoid") && functions[1].is("Tanh") && functions[2].is("Tanh") && clip == 0 && !couples;
  }
};

States lstm_step(const LstmOptions& o, const RecurrentCall& r, const at::Tensor& inputs, const States& states) {
  const auto& cell = states[1];
  const auto gates = inputs.add(states[0].matmul(r.weight_hh.t())).chunk(4, 1);
  const auto peep = r.peephole.defined() ? r.peephole.chunk(3, 0) : std::vector<at::Tensor>();
  const auto gate = [&](size_t k, size_t peephole, const at::Tensor& seen) {
    return clipped(peep.empty() ? gates[k] : gates[k].add(peep[peephole] * seen), o.clip);
  };
  const auto input = o.functions[0](gate(0, 0, cell));
  const auto forget = o.couples ? 1 - input : o.functions[0](gate(1, 1, cell));
  const auto next = forget * cell + input * o.functions[1](clipped(gates[2], o.clip));
  const auto output = o.functions[0](gate(3, 2, next));
  return {output * o.functions[2](next), next};
}

void run_lstm(const LstmOptions& options, const Node& node, Call& call) {
  const auto r = read_recurrent(node, call);
  if (options.plain() && !r.lengths.defined() && !r.peephole.defined()) {
    const auto [y, h, c] = at::lstm(r.x, {r.hidden.unsqueeze(0), r.cell.unsqueeze(0)}, torch_parameters(r),
                                    r.bias_ih.defined(), 1, 0, call.mode == Mode::train, false, false);
    return write_recurrent(r, y, {h.squeeze(0), c.squeeze(0)}, call);
  }
  auto inputs = r.x.matmul(r.weight_ih.t());
  if (r.bias_ih.defined()) inputs = inputs + r.bias_ih + r.bias_hh;
  run_steps(
      r, {r.hidden, r.cell}, [&](int64_t t, const States& states) { return lstm_step(options, r, inputs[t], states); },
      call);
}

Kernel lstm_kernel(const Node& node) {
  const LstmOptions options{.functions = gate_functions(node, "Sigmoid,Tanh,Tanh"),
                            .clip = node.attributes.number("clip", 0),
                            .couples = node.attributes.integer("input_forget", 0) != 0};
  return [options, node](Call& call) { run_lstm(options, node, call); };
}

Op lstm_op() {
  auto op = recurrent_op("LSTM", "long short-term memory: one layer, one direction", lstm_kernel, 4);
  op.attributes.push_back({"input_forget", AttributeSpec::Type::integer});
  return op;
}

}  // namespace

namespace families {
extern const OpFamily lstm{{lstm_op()}};
}

}  // namespace compress::ops
