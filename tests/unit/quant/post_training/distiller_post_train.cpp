// Distiller's own tests of post-training quantisation, by its numbers (tests/golden/distiller_post_train_quant.json and
// distiller_quantizer_overrides.json). Of the file's kinds statistics_fusion is tested with net-aware ranges
// (net_aware.cpp), set_quantisation_parameters in distiller_set_parameters.cpp.
#include "core/file.h"
#include "exec/plan.h"
#include "graph/text_form.h"
#include "ops/quantization_grid.h"
#include "quant/rules/linear_arguments.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>

using namespace compress;
using namespace compress::test;
using nlohmann::json;

namespace {

const json& golden_cases(const std::string& file) {
  static std::map<std::string, json> files;
  auto& all = files[file];
  if (all.is_null()) all = json::parse(read_file("tests/golden/" + file));
  return all.at("cases");
}

int each_golden(const std::string& kind, const std::function<void(const json&)>& body) {
  int count = 0;
  for (const auto& entry : golden_cases("distiller_post_train_quant.json")) {
    if (entry.at("kind") != kind) continue;
    INFO(entry.at("name").get<std::string>());
    body(entry);
    ++count;
  }
  return count;
}

at::Tensor nested(const json& value) {
  if (!value.is_array()) return at::scalar_tensor(value.get<double>(), at::kFloat);
  std::vector<double> numbers_in;
  Shape shape;
  for (const auto* inner = &value; inner->is_array(); inner = &inner->at(0)) shape.push_back(inner->size());
  const std::function<void(const json&)> gather = [&](const json& part) {
    if (!part.is_array()) return numbers_in.push_back(part.get<double>());
    for (const auto& item : part) gather(item);
  };
  gather(value);
  return numbers(numbers_in).reshape(shape).to(at::kFloat);
}

/// How far the result may be from Distiller's. It divides by multiplying with a reciprocal and rounds after adding the
/// zero point, we divide and round before: where the file says that this makes a difference, it says how large.
double allowed_difference(const json& entry) {
  double allowed = 2e-4;
  for (const auto* ours :
       {"double_half_even", "double_half_even_round_before_offset", "single_half_even_true_division"}) {
    const auto& others = entry.at("not_reproduced_by");
    if (std::ranges::find(others, ours) != others.end())
      allowed = std::max(allowed, 1.001 * entry.at("max_abs_diff_by_arithmetic").at(ours).get<double>());
  }
  return allowed;
}

std::string statistics_text(const json& statistics) {
  const auto record = [](const json& seen) {
    return fmt::format("{{min: {}, max: {}, avg_min: {}, avg_max: {}, mean: 0, std: 1}}", seen.at("min").get<double>(),
                       seen.at("max").get<double>(), seen.at("avg_min").get<double>(),
                       seen.at("avg_max").get<double>());
  };
  std::string text = "layer:\n  inputs:\n";
  for (size_t i = 0; i < statistics.at("inputs").size(); ++i)
    text += fmt::format("    {}: {}\n", i, record(statistics.at("inputs")[i]));
  return text + "  output: " + record(statistics.at("output")) + "\n";
}

/// What the network `text` puts out when it is quantised as the case says.
at::Tensor quantised_output(const json& entry, Graph graph, const std::vector<at::Tensor>& inputs) {
  const TemporaryFolder folder;
  std::string yaml = "mode: " + entry.at("mode").get<std::string>() +
                     "\nclip_acts: " + entry.at("clip_activations").get<std::string>() + "\n";
  if (entry.value("per_channel_weights", false)) yaml += "per_channel_wts: true\n";
  if (entry.at("ranges") == "static") {
    write_file(folder / "stats.yaml", statistics_text(entry.at("statistics")));
    yaml += "model_activation_stats: " + (folder / "stats.yaml").string() + "\n";
  }
  quantize(graph, "PostTrainLinearQuantizer", yaml);
  return exec::Plan(graph, {.optimize = false}).run(inputs)[0];
}

/// 1 where a number lies in the middle of two integers, so that its rounding hangs on the last bit of the division.
at::Tensor ties(const at::Tensor& exact) {
  return exact.sub(exact.floor()).sub(0.5).abs().lt(1e-4).to(at::kFloat);
}

/// True when an operand of a layer lies in the middle of two integers.
bool tied_operand(const json& entry) {
  for (const auto* operand : {"weight", "input"}) {
    if (!entry.contains(operand)) continue;
    auto value = nested(entry.at(operand)), step = nested(entry.at("parameters").at(operand).at("onnx_scale"));
    if (step.dim() == 1) step = ops::along_axis(step, 0, value.dim());
    if (ties(value / step).any().item<bool>()) return true;
  }
  return false;
}

/// How many roundings of each output, and of what it is computed from, were of ties.
at::Tensor tied_roundings(const json& entry) {
  const auto& parameters = entry.at("parameters");
  const auto scale_of = [](const json& of) { return nested(of.at("onnx_scale")); };
  const auto sums = nested(entry.at("quantised_intermediates").at("accumulator_integers"));
  const auto step = scale_of(parameters.at("output"));
  const auto kind = entry.at("kind").get<std::string>();
  if (kind != "concatenation" && kind != "elementwise_addition") {
    auto scale = scale_of(parameters.at("accumulator"));
    if (scale.dim() == 1) scale = ops::along_axis(scale, 1, sums.dim());
    return ties(sums * scale / step) + (tied_operand(entry) ? 1 : 0);
  }
  std::vector<at::Tensor> moved;  // the inputs, rounded to the output's scale
  for (size_t i = 0; i < 2; ++i) {
    const auto& input = parameters.at("inputs")[i];
    const auto integers = nested(entry.at("quantised_intermediates").at("input_integers")[i]);
    moved.push_back(ties((integers - nested(input.at("onnx_zero_point"))) * scale_of(input) / step) +
                    ties(nested(entry.at("inputs")[i]) / scale_of(input)));
  }
  return kind == "concatenation" ? at::cat(moved, entry.at("axis").get<int64_t>()) : moved[0] + moved[1];
}

/// Equal but for one step of the output where a rounding was a tie, and for what allowed_difference() explains.
void check_expected(const json& entry, const at::Tensor& output) {
  const auto expected = nested(entry.at("expected_output"));
  const auto step = nested(entry.at("parameters").at("output").at("onnx_scale"));
  const auto excess = (output - expected).abs() - tied_roundings(entry) * step * 1.001;
  require_close(excess.clamp_min(0), at::zeros_like(excess), allowed_difference(entry));
}

Graph convolution(const json& entry) {
  auto graph = parse_graph("graph g(x: float[N,1,2,2]) -> (output = layer)\nparameter w: float[2,1,3,3]\n"
                           "layer = Conv(x, %w) kernel_shape=[3,3] pads=[1,1,1,1]\n");
  graph.assign("w", nested(entry.at("weight")));
  return graph;
}

Graph linear(const json& entry) {
  auto graph =
      parse_graph("graph g(x: float[N,4]) -> (output = layer)\nparameter w: float[3,4]\nparameter b: float[3]\n"
                  "layer = Gemm(x, %w, %b) transB=1\n");
  graph.assign("w", nested(entry.at("weight")));
  graph.assign("b", nested(entry.at("bias")));
  return graph;
}

/// Distiller's addition and concatenation: inputs on their grids are rounded to the output's scale first.
Graph joined_by_distillers_rule(const json& entry, const std::string& layer) {
  const auto& parameters = entry.at("parameters");
  const bool symmetric = entry.at("mode") == "SYMMETRIC";
  const std::string grid = symmetric ? "signed=1 symmetric=1" : "signed=0 symmetric=0";
  auto graph = parse_graph(fmt::format(
      R"(graph g(a: float[N,2,2,2], b: float[N,2,2,2]) -> (output = out)
parameter scale.a: float[] fixed
parameter zero.a: float[] fixed
parameter scale.b: float[] fixed
parameter zero.b: float[] fixed
parameter scale.out: float[] fixed
parameter zero.out: float[] fixed
parameter zero: float[] fixed
a.q = FakeQuantize(a, %scale.a, %zero.a) bits=8 {0}
b.q = FakeQuantize(b, %scale.b, %zero.b) bits=8 {0}
a.r = FakeQuantize(a.q, %scale.out, %zero) bits=32 signed=1 symmetric=1
b.r = FakeQuantize(b.q, %scale.out, %zero) bits=32 signed=1 symmetric=1
layer = {1}
out = FakeQuantize(layer, %scale.out, %zero.out) bits=8 {0}
)",
      grid, layer));
  const auto assign = [&](const std::string& name, const json& from) {
    graph.assign("scale." + name, nested(from.at("onnx_scale")));
    graph.assign("zero." + name, nested(from.at("onnx_zero_point")));
  };
  assign("a", parameters.at("inputs")[0]);
  assign("b", parameters.at("inputs")[1]);
  assign("out", parameters.at("output"));
  graph.assign("zero", at::scalar_tensor(0.0, at::kFloat));
  return graph;
}

std::vector<at::Tensor> two_inputs(const json& entry) {
  return {nested(entry.at("inputs")[0]), nested(entry.at("inputs")[1])};
}

at::Tensor quantised_weight(const Graph& graph) {
  const auto& node = graph.node("w.quantizer");
  return ops::fake_quantize(graph.parameter("w").value,
                            {graph.parameter(node.inputs[1]).value, graph.parameter(node.inputs[2]).value},
                            ops::grid_spec(node), ops::grid_axes(node));
}

}  // namespace

TEST_CASE("Distiller's post-training cases: convolutions, static and dynamic") {
  REQUIRE(each_golden("convolution", [](const json& entry) {
            check_expected(entry, quantised_output(entry, convolution(entry), {nested(entry.at("input"))}));
          }) == 8);
}

TEST_CASE("Distiller's post-training cases: linear layers") {
  REQUIRE(each_golden("linear", [](const json& entry) {
            check_expected(entry, quantised_output(entry, linear(entry), {nested(entry.at("input"))}));
          }) == 4);
}

TEST_CASE("Distiller's post-training cases: products of two values") {
  REQUIRE(each_golden("elementwise_multiplication", [](const json& entry) {
            const auto graph =
                parse_graph("graph g(a: float[N,2,2,2], b: float[N,2,2,2]) -> (output = layer)\nlayer = Mul(a, b)\n");
            check_expected(entry, quantised_output(entry, graph.clone(), two_inputs(entry)));
          }) == 4);
}

TEST_CASE("Distiller's post-training cases: sums of two values, by its rule and by ours") {
  REQUIRE(each_golden("elementwise_addition", [](const json& entry) {
            const auto theirs = joined_by_distillers_rule(entry, "Add(a.r, b.r)");
            check_expected(entry, exec::Plan(theirs, {.optimize = false}).run(two_inputs(entry))[0]);
            const auto graph =
                parse_graph("graph g(a: float[N,2,2,2], b: float[N,2,2,2]) -> (output = layer)\nlayer = Add(a, b)\n");
            const auto ours = quantised_output(entry, graph.clone(), two_inputs(entry));
            const auto step = entry.at("parameters").at("output").at("onnx_scale").get<double>();
            require_close(ours, nested(entry.at("expected_output")), 1.01 * step);  // rounded once instead of thrice
          }) == 4);
}

TEST_CASE("Distiller's post-training cases: concatenations, by its rule") {
  REQUIRE(each_golden("concatenation", [](const json& entry) {
            const auto theirs = joined_by_distillers_rule(entry, "Concat(a.r, b.r) axis=1");
            check_expected(entry, exec::Plan(theirs, {.optimize = false}).run(two_inputs(entry))[0]);
          }) == 4);
}

TEST_CASE("Distiller's post-training cases: without statistics what joins values stays in floating point") {
  auto graph = parse_graph("graph g(a: float[N,2,2,2], b: float[N,2,2,2]) -> (output = layer)\nlayer = Add(a, b)\n");
  quantize(graph, "PostTrainLinearQuantizer", "{}");
  REQUIRE(wiring(graph) == "layer = Add(a, b)\n");
}

TEST_CASE("Distiller's post-training cases: weights only") {
  int count = each_golden("weights_only", [](const json& entry) {
    const bool conv =
        entry.contains("layer") ? entry.at("layer") == "convolution" : nested(entry.at("weight")).dim() == 4;
    const bool derived = entry.contains("weight");
    const auto weight =
        derived ? nested(entry.at("weight")) : wild(entry.at("weight_shape").get<Shape>()).abs().to(at::kFloat);
    const bool bias = entry.contains("bias_shape") && !entry.at("bias_shape").is_null();
    auto graph = parse_graph(
        fmt::format("graph g(x: float[N,{}]) -> (output = layer)\nparameter w: float[{}]\n{}layer = {}(x, %w{}) {}\n",
                    conv ? fmt::format("{},5,5", weight.size(1)) : fmt::format("{}", weight.size(1)),
                    fmt::join(weight.sizes(), ","), bias ? fmt::format("parameter b: float[{}]\n", weight.size(0)) : "",
                    conv ? "Conv" : "Gemm", bias ? ", %b" : "", conv ? "kernel_shape=[3,3]" : "transB=1"));
    graph.assign("w", weight);
    if (bias) graph.assign("b", wild({weight.size(0)}, 3).abs().to(at::kFloat));
    auto plain = graph.clone();
    const bool per_channel = entry.at("per_channel_weights").get<bool>();
    quantize(graph, "PostTrainLinearQuantizer",
             fmt::format("{{bits_activations: null, mode: ASYMMETRIC_UNSIGNED, per_channel_wts: {}}}", per_channel));
    REQUIRE(graph.node("layer").inputs[0] == "x");
    const ops::GridSpec spec{.is_signed = false, .symmetric = false};
    const ops::GridAxes axes(per_channel ? 0 : -1);
    const auto range = ops::value_range(weight, axes);
    const auto expected = ops::fake_quantize(weight, ops::make_grid(range.min, range.max, spec), spec, axes);
    REQUIRE(quantised_weight(graph).equal(expected));
    if (derived) {
      const auto grid = ops::make_grid(range.min, range.max, spec);
      const auto step = ops::along_axis(grid.scale, axes.axis, weight.dim());
      const auto excess = (expected - nested(entry.at("expected_weight"))).abs() - ties(weight / step) * step * 1.001;
      require_close(excess.clamp_min(0), at::zeros_like(excess), 1e-6);
    }
    plain.assign("w", expected);
    const auto x = wild(conv ? Shape{5, weight.size(1), 5, 5} : Shape{5, weight.size(1)}, 9).abs().to(at::kFloat);
    REQUIRE(evaluated(graph, x).equal(evaluated(plain, x)));
  });
  REQUIRE(count == 12);
}

TEST_CASE("Distiller's post-training cases: the clip mode of a layer can be overridden") {
  const int count = each_golden("clip_override", [](const json& entry) {
    quant::LinearArguments defaults;
    Settings settings;
    defaults.declare_defaults(settings);
    settings.read(parse_yaml("{clip_acts: AVG}", "recipe.yaml"), "quantizer");
    const auto rules = quant::layer_rules(parse_yaml(entry.at("overrides").dump(), "recipe.yaml"), defaults);
    const quant::LayerName layers[] = {{entry.at("layer").get<std::string>(), "Mul"}};
    const auto rule = rules.find(layers).activations;
    quant::ValueStatistics seen("value", quant::StatisticsNeeds());
    seen.watch(nested(json::parse("[[-1, 9], [-5, 3], [-3, 0]]")));
    const auto range = rule.observer ? rule.observer->range(seen, quant::kAsymmetricUnsigned) : seen.extremes();
    const auto mode = entry.at("expected").at("clip_mode").get<std::string>();
    if (mode == "NONE") REQUIRE(range == quant::Extremes{-5, 9});
    if (mode == "AVG") REQUIRE(range.high == Approx(4));
    if (mode == "N_STD") REQUIRE(range.high == Approx(std::min(9.0, seen.mean() + 2 * seen.standard_deviation())));
  });
  REQUIRE(count == 3);
}

namespace {

/// Distiller's three kinds of bits, and the extra argument that its tests have.
struct ThreeBits {
  std::optional<int64_t> activations, weights, bias;
  int64_t prop = 0;

  void declare_layer(Settings& settings) {
    quant::declare_bits(settings, "bits_activations", activations, "bits of the output");
    quant::declare_bits(settings, "bits_weights", weights, "bits of the weight");
    quant::declare_bits(settings, "bits_bias", bias, "bits of the bias");
    settings.optional("prop", prop, "an argument of the layer");
  }
  void check() const {}
  quant::LayerRule rule() const {
    return {
        .activations = {.bits = activations}, .weights = {.bits = weights}, .bias = {.bits = bias}, .bits_accum = prop};
  }
};

std::optional<int64_t> bits_or_null(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<int64_t>());
}

quant::LayerRules override_rules(const json& entry) {
  auto map = Yaml::map();
  for (auto pattern : entry.at("overrides_in_order")) {
    const auto name = pattern.at("pattern").get<std::string>();
    pattern.erase("pattern");
    if (pattern.contains("overridable_prop")) {
      pattern["prop"] = pattern.at("overridable_prop");
      pattern.erase("overridable_prop");
    }
    map.set(name, parse_yaml(pattern.dump(), "recipe.yaml"));
    map.key_places.resize(map.keys.size());
  }
  const auto& bits = entry.at("default_bits");
  return quant::layer_rules(map, ThreeBits{bits_or_null(bits.at("activations")), bits_or_null(bits.at("weights")),
                                           bits_or_null(bits.at("bias"))});
}

quant::LayerRule rule_of_module(const quant::LayerRules& rules, const std::string& name) {
  const quant::LayerName layers[] = {{name, ""}};
  return rules.find(layers);
}

}  // namespace

TEST_CASE("Distiller's override cases: the bits of every module") {
  int count = 0;
  for (const auto& entry : golden_cases("distiller_quantizer_overrides.json")) {
    if (!entry.contains("expected_bits_per_module")) continue;
    INFO(entry.at("name").get<std::string>());
    const auto rules = override_rules(entry);
    for (const auto& module : entry.at("modules_in_order")) {
      const auto name = module.at("name").get<std::string>();
      const auto& expected = entry.at("expected_bits_per_module").at(name);
      const auto rule = rule_of_module(rules, name);
      INFO("module " << name);
      REQUIRE(rule.activations.bits == bits_or_null(expected.at("activations")));
      if (module.at("type") != "conv" && module.at("type") != "linear") continue;
      REQUIRE(rule.weights.bits == bits_or_null(expected.at("weights")));
      REQUIRE(rule.bias.bits == bits_or_null(expected.at("bias")));
    }
    ++count;
  }
  REQUIRE(count == 8);
}

TEST_CASE("Distiller's override cases: further arguments, and the refusals") {
  int count = 0;
  for (const auto& entry : golden_cases("distiller_quantizer_overrides.json")) {
    const auto name = entry.at("name").get<std::string>();
    INFO(name);
    if (name.starts_with("extra_argument_accepted")) {
      const auto rules = override_rules(entry);
      REQUIRE(rule_of_module(rules, entry.at("expected").at("module").get<std::string>()).bits_accum == 123);
    } else if (name.starts_with("extra_argument_refused")) {
      require_error([&] { override_rules(entry); }, "unexpetcted_prop");  // before any work, not while preparing
    } else if (name == "overrides_must_be_ordered") {
      require_error([] { quant::layer_rules(parse_yaml("[{conv1: {}}]", "recipe.yaml"), ThreeBits()); },
                    "'overrides' must be a map from pattern to arguments");
    } else if (name == "no_quantisation") {
      auto graph = filled_graph(kResidual);
      const auto before = wiring(filled_graph(kResidual));
      quantize(graph, "QuantAwareTrainRangeLinearQuantizer", "{fold_batchnorm: false}");
      REQUIRE(wiring(graph) == before);
    } else {
      continue;
    }
    ++count;
  }
  REQUIRE(count == 6);
}

TEST_CASE("Distiller's override cases: one activation function in two places is two nodes with rules of their own") {
  const std::string text = R"(graph g(x: float[N,4]) -> (output = dense2.relu)
parameter dense1.weight: float[4,4]
parameter dense2.weight: float[4,4]
dense1.linear = Gemm(x, %dense1.weight) transB=1
dense1.relu = Relu(dense1.linear)
dense2.linear = Gemm(dense1.relu, %dense2.weight) transB=1
dense2.relu = Relu(dense2.linear)
)";
  auto graph = filled_graph(text);
  quantize(graph, "QuantAwareTrainRangeLinearQuantizer",
           "{bits_activations: 8, bits_weights: 8, quantize_outputs: true, overrides: {dense1.relu: {bits_activations: "
           "null, bits_weights: null}}}");
  REQUIRE(graph.find_node("dense1.relu.quantizer") == nullptr);
  REQUIRE(graph.find_node("dense2.relu.quantizer") != nullptr);
}
