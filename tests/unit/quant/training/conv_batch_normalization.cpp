// Layer and batch-norm as one node: Distiller's own invariants and numbers (tests/golden/distiller_bn_fold.json), and
// the passes that join, freeze and fold.
#include "quant/training/conv_batch_normalization.h"

#include "core/file.h"
#include "graph/text_form.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/quantization.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::test;
using nlohmann::json;
using ops::Mode;

namespace {

json fold_cases() {
  static const auto all = json::parse(read_file("tests/golden/distiller_bn_fold.json"));
  return all.at("cases");
}

/// The sizes of a case; those that would take minutes are cut down, which no invariant depends on.
Shape sizes_of(const json& golden, const std::vector<std::string>& names, int64_t most) {
  Shape sizes;
  for (const auto& name : names)
    if (golden.at("sizes").contains(name)) sizes.push_back(std::min(golden.at("sizes").at(name).get<int64_t>(), most));
  return sizes;
}

at::Tensor uniform(const Shape& shape, double seed) {
  return wild(shape, seed).add(1).div(2);
}

/// A layer with its batch-norm: as one node, and as two.
struct Pair {
  explicit Pair(const json& golden) {
    const auto outputs = std::min(golden.at("sizes").at("outputs").get<int64_t>(), int64_t{48});
    Shape weight{outputs, std::min(golden.at("sizes").at("inputs").get<int64_t>(), int64_t{64})};
    const auto space = sizes_of(golden, {"length", "height", "width", "depth"}, 14);
    for (size_t i = 0; i < space.size(); ++i) weight.push_back(golden.at("sizes").at("kernel").get<int64_t>());
    input = {std::min(golden.at("sizes").at("batch").get<int64_t>(), int64_t{16}), weight[1]};
    input.insert(input.end(), space.begin(), space.end());
    affine = golden.at("affine").get<bool>();
    biased = golden.at("layer_bias").get<bool>();
    parameters = {wild(weight, 1).mul(0.5),          biased ? wild({outputs}, 2) : at::Tensor(),
                  at::ones({outputs}, at::kDouble),  at::zeros({outputs}, at::kDouble),
                  at::zeros({outputs}, at::kDouble), at::ones({outputs}, at::kDouble)};
    learn();
  }

  void learn() {
    for (const size_t i : {0, 1, 2, 3})
      if (parameters[i].defined() && (i < 2 || affine))
        parameters[i] = parameters[i].detach().clone().requires_grad_(true);
    for (const size_t i : {4, 5}) parameters[i] = parameters[i].detach().clone();
  }

  bool linear() const { return parameters[0].dim() == 2; }

  at::Tensor two_nodes(const at::Tensor& x, Mode mode, double share) const {
    const auto layer = linear() ? "y = Gemm(x, %w, %c) transB=1" : "y = Conv(x, %w, %c)";
    const auto y = run_op(node_of(layer), {x, parameters[0], parameters[1]}, mode)[0];
    const auto norm = fmt::format("y = BatchNormalization(x, %g, %b, %m, %v) momentum={:.17g}", 1 - share);
    return run_op(node_of(norm), {y, parameters[2], parameters[3], parameters[4], parameters[5]}, mode)[0];
  }

  static std::string joined(double share, const std::string& attributes) {
    return fmt::format("y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=32 momentum={:.17g} {}",
                       1 - share, attributes);
  }

  at::Tensor one_node(const at::Tensor& x, Mode mode, double share, const std::string& attributes) {
    const auto outputs = parameters[0].size(0);
    if (!scale.defined()) {
      const bool single = attributes.find("axis=-1") != std::string::npos;
      scale = at::ones(single ? Shape{} : Shape{outputs}, at::kDouble);
      zero_point = at::zeros_like(scale);
    }
    auto inputs = parameters;
    inputs.insert(inputs.begin(), x);
    inputs.push_back(scale);
    inputs.push_back(zero_point);
    return run_op(node_of(joined(share, attributes)), inputs, mode)[0];
  }

  /// Plain gradient descent.
  void step(double lr) {
    const at::NoGradGuard no_grad;
    for (auto& parameter : parameters)
      if (parameter.defined() && parameter.requires_grad() && parameter.grad().defined())
        parameter = parameter.detach().sub(parameter.grad(), lr);
  }

  Shape input;
  bool affine = true, biased = false;
  std::vector<at::Tensor> parameters;  ///< weight, bias, gamma, beta, mean, variance
  at::Tensor scale, zero_point;
};

void require_equal(const at::Tensor& a, const at::Tensor& b, const json& golden) {
  const auto reach = golden.at("tolerance_rel").get<double>() * b.abs().max().item<double>();
  require_close(a, b, reach + golden.at("tolerance_abs").get<double>());
}

/// Graph of the node, frozen or not, evaluated.
at::Tensor evaluated_when_frozen(Pair& pair, const at::Tensor& x, const std::string& attributes) {
  auto text = "graph g(x: float[N" + std::string();
  for (size_t i = 1; i < pair.input.size(); ++i) text += fmt::format(",{}", pair.input[i]);
  text += "]) -> (y = y)\n";
  const auto outputs = pair.parameters[0].size(0);
  text += fmt::format("parameter w: float[{}]\n", fmt::join(pair.parameters[0].sizes(), ","));
  if (pair.biased) text += fmt::format("parameter c: float[{}]\n", outputs);
  for (const char* name : {"g", "b", "m", "v"}) text += fmt::format("parameter {}: float[{}]\n", name, outputs);
  const auto grid = pair.scale.dim() == 0 ? std::string("[]") : fmt::format("[{}]", outputs);
  text += "parameter s: float" + grid + " fixed\nparameter z: float" + grid + " fixed\n";
  auto node = Pair::joined(0.1, attributes);
  if (!pair.biased) node.replace(node.find("%c"), 2, "_");
  if (pair.linear()) node += " layer=\"Gemm\"";
  auto graph = parse_graph(text + node + "\n");
  const char* names[] = {"w", "c", "g", "b", "m", "v"};
  for (size_t i = 0; i < 6; ++i)
    if (pair.parameters[i].defined()) graph.assign(names[i], pair.parameters[i].detach().to(at::kFloat));
  graph.assign("s", pair.scale.to(at::kFloat));
  graph.assign("z", pair.zero_point.to(at::kFloat));
  quant::freeze_conv_batch_normalization(graph);
  REQUIRE(graph.find_node("y")->op == (pair.linear() ? "Gemm" : "Conv"));
  REQUIRE(graph.find_parameter("g") == nullptr);
  return evaluated(graph, x.to(at::kFloat)).to(at::kDouble);
}

void check_invariants(const json& golden, const std::string& attributes) {
  INFO(golden.dump() << " " << attributes);
  Pair folded(golden), plain(golden);
  const auto steps = golden.at("steps").get<int64_t>();
  const auto lr = golden.at("optimizer").at("learning_rate").get<double>();
  double share = 0.1;
  for (int64_t step = 0; step < steps; ++step) {
    share = golden.at("momentum").is_null() ? 1 / static_cast<double>(step + 1) : golden.at("momentum").get<double>();
    const auto x = uniform(folded.input, 10 + static_cast<double>(step));
    const auto y = folded.one_node(x, Mode::train, share, attributes), z = plain.two_nodes(x, Mode::train, share);
    const auto target = uniform(y.sizes().vec(), 30 + static_cast<double>(step));
    at::mse_loss(y, target).backward();
    at::mse_loss(z, target).backward();
    require_equal(folded.parameters[0].grad(), plain.parameters[0].grad(), golden);
    if (folded.biased) REQUIRE_FALSE(folded.parameters[1].grad().defined());
    for (const size_t i : {2, 3})
      if (folded.affine) require_equal(folded.parameters[i].grad(), plain.parameters[i].grad(), golden);
    folded.step(lr);
    plain.step(lr);
    for (const size_t i : {0, 2, 3, 4, 5}) {
      // the unfolded bias moves by rounding alone
      if (i != 4 || !folded.biased) require_equal(folded.parameters[i], plain.parameters[i], golden);
    }
    if (folded.biased) require_equal(folded.parameters[4], plain.parameters[4], golden);
    folded.learn();
    plain.learn();
  }
  const auto x = uniform(folded.input, 99);
  const auto expected = plain.two_nodes(x, Mode::eval, share);
  require_equal(folded.one_node(x, Mode::eval, share, attributes), expected, golden);
  require_equal(evaluated_when_frozen(folded, x, attributes), expected, golden);
}

at::Tensor matrix(const json& rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) tensors.push_back(numbers(row.get<std::vector<double>>()));
  return at::stack(tensors);
}

at::Tensor vector(const json& values) {
  return numbers(values.get<std::vector<double>>());
}

const json& derived_example() {
  static const auto all = fold_cases();
  return all.back();
}

}  // namespace

TEST_CASE("ConvBatchNormalization: Distiller's invariants hold with exact, 64 cases", "[quant]") {
  int64_t cases = 0;
  for (const auto& golden : fold_cases()) {
    if (!golden.at("name").get<std::string>().starts_with("invariants")) continue;
    check_invariants(golden, "scheme=\"exact\"");
    ++cases;
  }
  REQUIRE(cases == 64);
}

TEST_CASE("ConvBatchNormalization: Distiller's invariants hold with one convolution, 64 cases", "[quant]") {
  for (const auto& golden : fold_cases()) {
    if (!golden.at("name").get<std::string>().starts_with("invariants")) continue;
    check_invariants(golden, "");
    check_invariants(golden, "axis=-1");
  }
}

TEST_CASE("ConvBatchNormalization: the derived linear example of Distiller's scheme", "[quant]") {
  const auto& golden = derived_example();
  const auto& norm = golden.at("batch_norm");
  const auto& expected = golden.at("expected");
  std::vector<at::Tensor> inputs{matrix(golden.at("training_input")),
                                 matrix(golden.at("weight")),
                                 vector(golden.at("bias")),
                                 vector(norm.at("weight")),
                                 vector(norm.at("bias")),
                                 vector(norm.at("initial_running_mean")),
                                 vector(norm.at("initial_running_var")),
                                 at::ones({3}, at::kDouble),
                                 at::zeros({3}, at::kDouble)};
  const std::string scheme = GENERATE("single", "exact");
  const auto node = node_of("y = ConvBatchNormalization(x, %w, %c, %g, %b, %m, %v, %s, %z) bits=32 momentum=0.9 "
                            "epsilon=1e-5 scheme=\"" +
                            scheme + "\"");
  require_close(run_op(node, inputs, Mode::train)[0], matrix(expected.at("training_output")), 1e-8);
  require_close(inputs[5], vector(expected.at("running_mean_after")), 1e-9);
  require_close(inputs[6], vector(expected.at("running_var_after")), 1e-8);
  const auto weight = matrix(expected.at("weight_used_in_training"));
  require_close(inputs[7], weight.abs().amax(1).div(4294967295.0 / 2), 1e-12);
  inputs[0] = matrix(expected.at("evaluation_input"));
  require_close(run_op(node, inputs)[0], matrix(expected.at("evaluation_output")), 1e-8);
  std::vector<const at::Tensor*> pointers;
  for (const auto& input : inputs) pointers.push_back(&input);
  const auto folded = ops::folded_weights(node, pointers);
  require_close(folded.weight, matrix(expected.at("frozen_weight")), 1e-9);
  require_close(folded.bias, vector(expected.at("frozen_bias")), 1e-8);
}

TEST_CASE("ConvBatchNormalization: pairs that Distiller refuses are none here either", "[quant]") {
  // What is no layer with a batch-norm behind it stays as it is ...
  const auto rules = [] {
    quant::LayerRule rule;
    rule.weights = {.bits = 8, .per_channel = true, .method = "minmax"};
    return quant::LayerRules(rule);
  };
  for (const std::string text :
       {"graph g(x: float[N,5]) -> (y = bn)\nparameter g: float[5]\nparameter b: float[5]\n"
        "parameter m: float[5] fixed\nparameter v: float[5] fixed\nrelu = Relu(x)\n"
        "bn = BatchNormalization(relu, %g, %b, %m, %v)\n",
        "graph g(x: float[N,1,9]) -> (y = relu)\nparameter w: float[2,1,3]\nconv = Conv(x, %w)\n"
        "relu = Relu(conv)\n"}) {
    auto graph = parse_graph(text);
    REQUIRE(quant::join_conv_batch_normalization(graph, rules(), ops::FoldingScheme::exact).empty());
    REQUIRE(print_graph(graph) == print_graph(parse_graph(text)));
  }
  // ... and a value of the rank that one wants is not what the other makes.
  struct Mismatch {
    Shape value, weight;
  };
  for (const auto& [value, weight] : {Mismatch{{2, 1, 9, 9}, {2, 1, 3}}, Mismatch{{2, 1, 9, 9, 9}, {2, 1, 3, 3}},
                                      Mismatch{{2, 1, 9, 9}, {2, 1, 3, 3, 3}}, Mismatch{{2, 3, 9, 9}, {5, 3}}}) {
    const auto n = weight[0];
    const std::vector<at::Tensor> inputs{wild(value), wild(weight), at::Tensor(), wild({n}), wild({n}),
                                         wild({n}),   wild({n}),    wild({n}),    wild({n})};
    const auto node = node_of("y = ConvBatchNormalization(x, %w, _, %g, %b, %m, %v, %s, %z)");
    const auto infos = infos_of(inputs);
    REQUIRE_THROWS_WITH(ops::op_of(node).infer({node, infos}), Catch::Contains("do not make a"));
  }
}

TEST_CASE("fold_batchnorm: what it refuses", "[quant]") {
  require_error([] { make_quantizer("QuantAwareTrainRangeLinearQuantizer", "{fold_batchnorm: twice}"); },
                "'fold_batchnorm' must be true, false or exact");
}
