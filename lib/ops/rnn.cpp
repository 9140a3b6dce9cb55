#include "ops/recurrent_layer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/rnn_relu.h>
#include <ATen/ops/rnn_tanh.h>

namespace compress::ops {

namespace {

void run_rnn(const GateFunction& function, double clip, const Node& node, Call& call) {
  const auto r = read_recurrent(node, call);
  const bool plain = function.is("Tanh") || function.is("Relu");
  if (plain && clip == 0 && !r.lengths.defined()) {
    const auto run = [&](auto&& layer) {
      return layer(r.x, r.hidden.unsqueeze(0), torch_parameters(r), r.bias_ih.defined(), 1, 0.0,
                   call.mode == Mode::train, false, false);
    };
    const auto [y, h] = function.is("Tanh") ? run([](auto&&... x) { return at::rnn_tanh(x...); })
                                            : run([](auto&&... x) { return at::rnn_relu(x...); });
    return write_recurrent(r, y, {h.squeeze(0)}, call);
  }
  auto inputs = r.x.matmul(r.weight_ih.t());
  if (r.bias_ih.defined()) inputs = inputs + r.bias_ih + r.bias_hh;
  const auto step = [&](int64_t t, const States& states) {
    return States{function(clipped(inputs[t] + states[0].matmul(r.weight_hh.t()), clip))};
  };
  run_steps(r, {r.hidden}, step, call);
}

Kernel rnn_kernel(const Node& node) {
  return [function = gate_functions(node, "Tanh")[0], clip = node.attributes.number("clip", 0), node](Call& call) {
    run_rnn(function, clip, node, call);
  };
}

}  // namespace

namespace families {
extern const OpFamily rnn{{recurrent_op("RNN", "plain recurrent network: one layer, one direction", rnn_kernel, 1)}};
}

}  // namespace compress::ops
