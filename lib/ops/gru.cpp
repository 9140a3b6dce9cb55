#include "ops/recurrent_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gru.h>

/// Gates in PyTorch's order: reset, update, new. PyTorch resets the product of state and weight
/// (linear_before_reset = 1), ONNX's default the state.
namespace compress::ops {

namespace {

struct GruOptions {
  std::vector<GateFunction> functions;
  double clip = 0;
  bool linear_before_reset = false;

  bool plain() const {
    return functions[0].is("Sigmoid") && functions[1].is("Tanh") && clip == 0 && linear_before_reset;
  }
};

at::Tensor new_gate(const GruOptions& o, const RecurrentCall& r, const at::Tensor& reset, const at::Tensor& hidden) {
  const auto weight = r.weight_hh.chunk(3, 0)[2].t();
  const auto bias = r.bias_hh.defined() ? r.bias_hh.chunk(3, 0)[2] : hidden.new_zeros({hidden.size(1)});
  return o.linear_before_reset ? reset * (hidden.matmul(weight) + bias) : (reset * hidden).matmul(weight) + bias;
}

States gru_step(const GruOptions& o, const RecurrentCall& r, const at::Tensor& inputs, const States& states) {
  const auto& hidden = states[0];
  auto recurrent = hidden.matmul(r.weight_hh.t());
  if (r.bias_hh.defined()) recurrent = recurrent + r.bias_hh;
  const auto from_input = inputs.chunk(3, 1), from_state = recurrent.chunk(3, 1);
  const auto reset = o.functions[0](clipped(from_input[0] + from_state[0], o.clip));
  const auto update = o.functions[0](clipped(from_input[1] + from_state[1], o.clip));
  const auto fresh = o.functions[1](clipped(from_input[2] + new_gate(o, r, reset, hidden), o.clip));
  return {(1 - update) * fresh + update * hidden};
}

void run_gru(const GruOptions& options, const Node& node, Call& call) {
  const auto r = read_recurrent(node, call);
  if (options.plain() && !r.lengths.defined()) {
    const auto [y, h] = at::gru(r.x, r.hidden.unsqueeze(0), torch_parameters(r), r.bias_ih.defined(), 1, 0,
                                call.mode == Mode::train, false, false);
    return write_recurrent(r, y, {h.squeeze(0)}, call);
  }
  auto inputs = r.x.matmul(r.weight_ih.t());
  if (r.bias_ih.defined()) inputs = inputs + r.bias_ih;
  run_steps(
      r, {r.hidden}, [&](int64_t t, const States& states) { return gru_step(options, r, inputs[t], states); }, call);
}

Kernel gru_kernel(const Node& node) {
  const GruOptions options{.functions = gate_functions(node, "Sigmoid,Tanh"),
                           .clip = node.attributes.number("clip", 0),
                           .linear_before_reset = node.attributes.integer("linear_before_reset", 0) != 0};
  return [options, node](Call& call) { run_gru(options, node, call); };
}

Op gru_op() {
  auto op = recurrent_op("GRU", "gated recurrent unit: one layer, one direction", gru_kernel, 3);
  op.attributes.push_back({"linear_before_reset", AttributeSpec::Type::integer});
  return op;
}

}  // namespace

namespace families {
extern const OpFamily gru{{gru_op()}};
}

}  // namespace compress::ops
