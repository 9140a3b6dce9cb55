#include "ops/recurrent_layer.h"

#include "core/text.h"
#include "ops/channels.h"
#include "ops/shape.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <charconv>

namespace compress::ops {

namespace {

/// A function that ONNX lists for recurrent operators, with the defaults of its constants.
struct KnownFunction {
  std::string_view name;
  int constants;
  double alpha, beta;
  at::Tensor (*run)(const at::Tensor& x, double alpha, double beta);
};

const KnownFunction kFunctions[] = {
    {"Affine", 2, 1, 0, [](const at::Tensor& x, double a, double b) { return x.mul(a).add(b); }},
    {"Elu", 1, 1, 0,
     [](const at::Tensor& x, double a, double) { return at::where(x.lt(0), x.exp().sub(1).mul(a), x); }},
    {"HardSigmoid", 2, 0.2, 0.5, [](const at::Tensor& x, double a, double b) { return x.mul(a).add(b).clamp(0, 1); }},
    {"LeakyRelu", 1, 0.01, 0, [](const at::Tensor& x, double a, double) { return at::where(x.lt(0), x.mul(a), x); }},
    {"Relu", 0, 0, 0, [](const at::Tensor& x, double, double) { return x.relu(); }},
    {"ScaledTanh", 2, 1, 1, [](const at::Tensor& x, double a, double b) { return x.mul(b).tanh().mul(a); }},
    {"Sigmoid", 0, 0, 0, [](const at::Tensor& x, double, double) { return x.sigmoid(); }},
    {"Softplus", 0, 0, 0, [](const at::Tensor& x, double, double) { return x.exp().log1p(); }},
    {"Softsign", 0, 0, 0, [](const at::Tensor& x, double, double) { return x.div(x.abs().add(1)); }},
    {"Tanh", 0, 0, 0, [](const at::Tensor& x, double, double) { return x.tanh(); }},
    {"ThresholdedRelu", 1, 1, 0, [](const at::Tensor& x, double a, double) { return x.mul(x.gt(a)); }},
};

const KnownFunction& known_function(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& function : kFunctions) {
    if (to_lower(function.name) == to_lower(name)) return function;
    names.emplace_back(function.name);
  }
  throw request_error("activation '{}' is not supported", name)
      .hint(did_you_mean(name, names))
      .hint("allowed are " + join_words(names));
}

/// "LeakyRelu(0.1)" -> name and constants.
GateFunction parse_gate_function(std::string_view text) {
  const auto open = text.find('(');
  const auto& known = known_function(text.substr(0, open));
  GateFunction function{.name = std::string(known.name), .alpha = known.alpha, .beta = known.beta};
  if (open == std::string_view::npos) return function;
  auto inside = text.substr(open + 1);
  double* const targets[] = {&function.alpha, &function.beta};
  for (int k = 0; k < known.constants && !inside.empty(); ++k) {
    const auto [end, error] = std::from_chars(inside.data(), inside.data() + inside.size(), *targets[k]);
    if (error != std::errc()) break;
    inside.remove_prefix(static_cast<size_t>(end - inside.data()));
    if (inside.starts_with(';')) inside.remove_prefix(1);
  }
  if (inside != ")")
    throw request_error("activation '{}' cannot be read", text)
        .hint("write it as LeakyRelu(0.1) or HardSigmoid(0.2;0.5)");
  return function;
}

bool is_reversed(const Node& node) {
  return node.attributes.text("direction", "forward") == "reverse";
}

/// For each step and sequence the step of the same sequence read backwards; steps behind its end stay.
at::Tensor turned(const at::Tensor& x, const at::Tensor& lengths) {
  if (!lengths.defined()) return x.flip(0);
  const auto step = at::arange(x.size(0), lengths.options()).unsqueeze(1);
  const auto order = at::where(step.lt(lengths), lengths.sub(1).sub(step), step);
  return x.gather(0, order.unsqueeze(2).expand_as(x));
}

void require_size(const InferCall& call, size_t i, const Shape& wanted, std::string_view what) {
  if (call.has(i) && call.shape(i) != wanted)
    throw request_error("{} has shape {}, but the layer needs {}", what, shape_text(call.shape(i)), shape_text(wanted));
}

std::vector<ValueInfo> recurrent_infer(const InferCall& call) {
  const auto gates = recurrent_gates(call.node);
  const auto &x = call.shape(kSequence), &hidden_weight = call.shape(kWeightHidden);
  if (x.size() != 3 || hidden_weight.size() != 2)
    throw request_error("the sequence has shape {} and weight_hh {}: needed are [time, batch, features] and "
                        "[{} * hidden, hidden]",
                        shape_text(x), shape_text(hidden_weight), gates);
  const auto hidden = hidden_weight[1];
  require_size(call, kWeightInput, {gates * hidden, x[2]}, "weight_ih");
  require_size(call, kWeightHidden, {gates * hidden, hidden}, "weight_hh");
  require_size(call, kBiasInput, {gates * hidden}, "bias_ih");
  require_size(call, kBiasHidden, {gates * hidden}, "bias_hh");
  require_size(call, kLengths, {x[1]}, "the list of lengths");
  require_size(call, kInitialHidden, {x[1], hidden}, "the initial state");
  require_size(call, kInitialCell, {x[1], hidden}, "the initial cell");
  require_size(call, kPeephole, {3 * hidden}, "the peephole weight");
  std::vector<ValueInfo> outputs(static_cast<size_t>(call.node.outputs),
                                 {.shape = {x[1], hidden}, .type = call.in(0).type});
  outputs[0].shape = {x[0], x[1], hidden};
  return outputs;
}

int64_t recurrent_macs(const Node&, std::span<const ValueInfo> inputs, std::span<const ValueInfo>) {
  const auto& x = inputs[kSequence].shape;
  return x[0] * x[1] * (elements(inputs[kWeightInput].shape) + elements(inputs[kWeightHidden].shape));
}

Atoms repeated(const Atoms& atoms, int64_t times) {
  Atoms result;
  for (int64_t k = 0; k < times; ++k) result.insert(result.end(), atoms.begin(), atoms.end());
  return result;
}

/// One hidden unit is its row in each gate, the column that feeds it back, its place in states and peepholes, and its
/// output.
void recurrent_channels(ChannelFlow& flow) {
  flow.block(flow.axis(kSequence, 0), "the steps of a sequence carry channels");
  flow.block(flow.axis(kSequence, 1), "the sequences of a batch carry channels");
  flow.bind(kWeightInput, 1, flow.axis(kSequence, 2));
  const auto units = flow.own_axis(kWeightHidden, 1);
  const auto rows = repeated(units, recurrent_gates(flow.node()));
  flow.bind(kWeightHidden, 0, rows);
  flow.bind(kWeightInput, 0, rows);
  flow.bind(kBiasInput, 0, rows);
  flow.bind(kBiasHidden, 0, rows);
  flow.bind(kPeephole, 0, repeated(units, 3));
  if (flow.has(kLengths)) flow.block(flow.axis(kLengths, 0), "lengths carry channels");
  for (const auto i : {kInitialHidden, kInitialCell}) {
    if (!flow.has(i)) continue;
    flow.block(flow.axis(i, 0), "the sequences of a batch carry channels");
    flow.bind(i, 1, units);
  }
  flow.set_output({{}, {}, units});
  for (int k = 1; k < flow.node().outputs; ++k) flow.set_output({{}, units}, static_cast<size_t>(k));
}

}  // namespace

at::Tensor GateFunction::operator()(const at::Tensor& x) const {
  return known_function(name).run(x, alpha, beta);
}

std::array<int, 2> gate_function_constants(std::string_view name) {
  const auto constants = known_function(name).constants;
  return {constants > 0, constants > 1};
}

std::string gate_function_text(const std::string& name, std::span<const double> given) {
  const auto& known = known_function(name);
  if (known.constants == 0) return std::string(known.name);
  const auto alpha = given.empty() ? known.alpha : given[0];
  if (known.constants == 1) return fmt::format("{}({})", known.name, alpha);
  return fmt::format("{}({};{})", known.name, alpha, given.size() > 1 ? given[1] : known.beta);
}

std::vector<GateFunction> gate_functions(const Node& node, const std::string& defaults) {
  std::vector<GateFunction> functions;
  for (const auto& text : split(node.attributes.text("activations", defaults), ','))
    functions.push_back(parse_gate_function(trim(text)));
  const auto needed = split(defaults, ',').size();
  if (functions.size() != needed)
    throw request_error("{}: attribute 'activations' names {} functions, it takes {}", describe(node), functions.size(),
                        needed)
        .hint("the default is " + defaults);
  return functions;
}

RecurrentCall read_recurrent(const Node& node, const Call& call) {
  RecurrentCall r{.x = call.in(kSequence),
                  .weight_ih = call.in(kWeightInput),
                  .weight_hh = call.in(kWeightHidden),
                  .bias_ih = call.in_or_none(kBiasInput),
                  .bias_hh = call.in_or_none(kBiasHidden),
                  .lengths = call.in_or_none(kLengths),
                  .hidden = call.in_or_none(kInitialHidden),
                  .cell = call.in_or_none(kInitialCell),
                  .peephole = call.in_or_none(kPeephole),
                  .reversed = is_reversed(node)};
  if (r.lengths.defined()) r.lengths = r.lengths.to(at::kLong);
  if (r.reversed) r.x = turned(r.x, r.lengths);
  const std::vector<int64_t> state{r.x.size(1), r.weight_hh.size(1)};
  if (!r.hidden.defined()) r.hidden = r.x.new_zeros(state);
  if (!r.cell.defined()) r.cell = r.x.new_zeros(state);
  // LibTorch takes both biases or none.
  if (r.bias_ih.defined() != r.bias_hh.defined())
    (r.bias_ih.defined() ? r.bias_hh : r.bias_ih) = r.x.new_zeros({r.weight_hh.size(0)});
  return r;
}

std::vector<at::Tensor> torch_parameters(const RecurrentCall& r) {
  if (!r.bias_ih.defined()) return {r.weight_ih, r.weight_hh};
  return {r.weight_ih, r.weight_hh, r.bias_ih, r.bias_hh};
}

void run_steps(const RecurrentCall& r,
               States states,
               const std::function<States(int64_t, const States&)>& step,
               Call& call) {
  std::vector<at::Tensor> outputs;
  for (int64_t t = 0; t < r.x.size(0); ++t) {
    auto next = step(t, states);
    auto output = next[0];
    if (r.lengths.defined()) {
      const auto runs = r.lengths.gt(t).unsqueeze(1);
      for (size_t k = 0; k < next.size(); ++k) next[k] = at::where(runs, next[k], states[k]);
      output = output.mul(runs);
    }
    outputs.push_back(output);
    states = std::move(next);
  }
  const auto y = outputs.empty() ? states[0].unsqueeze(0).narrow(0, 0, 0) : at::stack(outputs);
  write_recurrent(r, y, states, call);
}

void write_recurrent(const RecurrentCall& r, const at::Tensor& y, const States& last, Call& call) {
  call.out() = r.reversed ? turned(y, r.lengths) : y;
  for (size_t k = 1; k < call.outputs.size(); ++k) call.out(k) = last.at(k - 1);
}

at::Tensor clipped(const at::Tensor& x, double clip) {
  return clip > 0 ? x.clamp(-clip, clip) : x;
}

int64_t recurrent_gates(const Node& node) {
  return node.op == "LSTM" ? 4 : node.op == "GRU" ? 3 : node.op == "RNN" ? 1 : 0;
}

Op recurrent_op(std::string_view name, std::string_view doc, Kernel (*kernel)(const Node&), int64_t gates) {
  const bool has_cell = gates == 4;
  Op op{.name = name,
        .doc = doc,
        .domain = "compress",
        .min_inputs = 3,
        .max_inputs = has_cell ? 9 : 7,
        .max_outputs = has_cell ? 3 : 2,
        .attributes = {{"activations", AttributeSpec::Type::text},
                       {"clip", AttributeSpec::Type::number},
                       {"direction", AttributeSpec::Type::text, false, "forward|reverse"}},
        .kernel = kernel,
        .gradient = Gradient::yes,
        .infer = recurrent_infer,
        .macs = recurrent_macs,
        .channels = recurrent_channels,
        .resize = keep_attributes,
        .quantization = Quantization::none};
  return op;
}

}  // namespace compress::ops
