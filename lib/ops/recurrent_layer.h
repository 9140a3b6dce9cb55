#pragma once

#include "ops/op.h"

#include <array>
#include <functional>
#include <string>
#include <vector>

/// What LSTM, GRU and RNN share. In the graph a node is one layer in one direction, with PyTorch's parameters and gate
/// order:
///
///     y [time, batch, hidden], h [batch, hidden] (, c) =
///         LSTM(x [time, batch, features], weight_ih [gates * hidden, features], weight_hh [gates * hidden, hidden],
///              bias_ih [gates * hidden], bias_hh, lengths [batch], h0 [batch, hidden] (, c0, peephole [3 * hidden]))
///
/// io/recurrent.h converts ONNX's form, which holds both directions in one node and orders the gates otherwise.
namespace compress::ops {

/// Positions of the inputs; lengths and everything behind are optional, as are the biases.
enum RecurrentInput : size_t {
  kSequence,
  kWeightInput,
  kWeightHidden,
  kBiasInput,
  kBiasHidden,
  kLengths,
  kInitialHidden,
  kInitialCell,
  kPeephole
};

/// A function between gates: "Tanh", "LeakyRelu(0.1)", "HardSigmoid(0.2,0.5)".
struct GateFunction {
  std::string name;
  double alpha = 0, beta = 0;

  at::Tensor operator()(const at::Tensor& x) const;
  bool is(std::string_view other) const { return name == other; }
};

/// What ONNX calls a gate function, with its constants (as many as `given`, then its defaults). Throws a request error
/// with the nearest name.
std::string gate_function_text(const std::string& name, std::span<const double> given);
/// How many constants the function takes from ONNX's activation_alpha and activation_beta.
std::array<int, 2> gate_function_constants(std::string_view name);
/// The node's `activations`, "f,g,h"; `defaults` without that attribute. Throws a request error.
std::vector<GateFunction> gate_functions(const Node& node, const std::string& defaults);

/// One call of a recurrent layer: direction, lengths and zero states taken care of.
struct RecurrentCall {
  at::Tensor x, weight_ih, weight_hh, bias_ih, bias_hh;  ///< the biases may be undefined
  at::Tensor lengths;                                    ///< int64 [batch]; undefined: all are as long as x
  at::Tensor hidden, cell, peephole;                     ///< cell and peephole may be undefined
  bool reversed = false;
};
/// Reads the inputs; the sequence is turned round when `direction` says so.
RecurrentCall read_recurrent(const Node& node, const Call& call);
/// LibTorch's list of parameters: the weights, and the biases when there are any.
std::vector<at::Tensor> torch_parameters(const RecurrentCall& call);

/// Runs step(t, state) -> new state over time for states [batch, hidden]; the first state is the output. A sequence
/// that has ended keeps its states and puts out zeros.
using States = std::vector<at::Tensor>;
void run_steps(const RecurrentCall& r,
               States states,
               const std::function<States(int64_t, const States&)>& step,
               Call& call);
/// Writes y (turned back) and the last states.
void write_recurrent(const RecurrentCall& r, const at::Tensor& y, const States& last, Call& call);

/// x limited to [-clip, clip]; unchanged with clip = 0.
at::Tensor clipped(const at::Tensor& x, double clip);

/// The facets that do not depend on the kind; `gates` is 4, 3 or 1.
Op recurrent_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int64_t gates);
/// 4 for LSTM, 3 for GRU, 1 for RNN, 0 for other operators.
int64_t recurrent_gates(const Node& node);

}  // namespace compress::ops
