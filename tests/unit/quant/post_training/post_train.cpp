#include "quant/runtime/runtime.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/quantization.h"
#include "support/temporary_folder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

const std::string kNative = "PostTrainQuantizer", kLinear = "PostTrainLinearQuantizer";

at::Tensor images() {
  return random_tensor({8, 3, 8, 8}, 9);
}

Graph quantised_residual(const std::string& name, const std::string& yaml) {
  auto graph = filled_graph(kResidual);
  quantize(graph, name, yaml, calibration_of({images()}));
  return graph;
}

double relative_error(const std::string& name, const std::string& yaml) {
  const auto expected = evaluated(filled_graph(kResidual), images());
  return ((evaluated(quantised_residual(name, yaml), images()) - expected).norm() / expected.norm()).item<double>();
}

const Attributes& attributes_of(const Graph& graph, const std::string& quantizer) {
  return graph.node(quantizer).attributes;
}

}  // namespace

TEST_CASE("post-train: the defaults are 8 bits, unsigned values, a weight scale per channel") {
  const auto graph = quantised_residual(kNative, "{}");
  REQUIRE(attributes_of(graph, "relu1.quantizer").integer("signed", 1) == 0);
  REQUIRE(attributes_of(graph, "relu1.quantizer").integer("symmetric", 1) == 0);
  REQUIRE(attributes_of(graph, "conv2.weight.quantizer").integer("narrow_range", 0) == 1);
  REQUIRE(attributes_of(graph, "conv2.weight.quantizer").integer("axis", -1) == 0);
  REQUIRE(graph.metadata.at("quantization.runtime") == "onnxruntime");
  REQUIRE(relative_error(kNative, "{}") < 0.02);
}

TEST_CASE("post-train: every grid and format computes, and finer ones are nearer") {
  for (const std::string word : {"symmetric", "symmetric_restricted", "asymmetric_unsigned", "asymmetric_signed",
                                 "gfpq", "float8_e4m3", "float8_e5m2", "float16", "bfloat16"}) {
    INFO(word);
    const auto yaml = "{activations: " + word + ", weights: " + word +
                      ", per_channel_weights: " + (word == "gfpq" ? "false" : "true") + "}";
    REQUIRE(relative_error(kNative, yaml) < 0.25);
  }
  REQUIRE(relative_error(kNative, "{activations: float16, weights: float16}") < 2e-3);
  REQUIRE(relative_error(kNative, "{bits_activations: 16, bits_weights: 16}") < 1e-3);
  REQUIRE(relative_error(kNative, "{bits_weights: 3}") > 3 * relative_error(kNative, "{bits_weights: 6}"));
}

TEST_CASE("post-train: GFPQ, which has one scale, needs no word about channels") {
  auto graph = filled_graph(kResidual);
  quantize(graph, "PostTrainQuantizer", "{activations: gfpq, weights: gfpq}",
           calibration_of({random_tensor({4, 3, 8, 8}, 9)}));
  REQUIRE(graph.parameter("conv1.weight.quantizer.scale").value.dim() == 0);
}

TEST_CASE("post-train: every observer can choose the ranges of values and weights") {
  for (const auto& observer : quant::observers().names()) {
    INFO(observer);
    const auto form = observer == "n_std"     ? "{class: n_std, n: 3}"
                      : observer == "lp_norm" ? "{class: lp_norm, p: 3}"
                                              : observer;
    REQUIRE(relative_error(kNative, "{bits_activations: 6, observer: " + form + "}") < 0.6);
    REQUIRE(relative_error(kNative, "{bits_weights: 6, weight_observer: " + form + "}") < 0.6);
  }
}

TEST_CASE("post-train: no-clip layers keep all of their range") {
  const auto clipped = quantised_residual(kNative, "{observer: {class: percentile, percentile: 80}}");
  const auto kept =
      quantised_residual(kNative, "{observer: {class: percentile, percentile: 80}, no_clip_layers: [relu2]}");
  const auto scale = [](const Graph& graph, const std::string& value) {
    return graph.parameter(value + ".quantizer.scale").value.item<double>();
  };
  REQUIRE(scale(kept, "relu2") > 1.2 * scale(clipped, "relu2"));
  REQUIRE(scale(kept, "relu1") == scale(clipped, "relu1"));
}

TEST_CASE("post-train: power-of-two scales, narrow sums and approximated multipliers are noted at the weights") {
  const auto graph =
      quantised_residual(kNative, "{scale_rule: power_of_two, bits_accum: 16, scale_approx_mult_bits: 8}");
  const auto scale = graph.parameter("relu1.quantizer.scale").value.log2();
  REQUIRE(scale.equal(scale.round()));
  const auto& weight = attributes_of(graph, "conv2.weight.quantizer");
  REQUIRE(weight.text("scale_rule", "") == "power_of_two");
  REQUIRE(weight.integer("accumulator_bits", 32) == 16);
  REQUIRE(weight.integer("multiplier_bits", 32) == 8);
}

TEST_CASE("post-train: a runtime's preset says grids, and what is written counts before it") {
  const auto tensorrt = quantised_residual(kNative, "{runtime: tensorrt}");
  REQUIRE(attributes_of(tensorrt, "relu1.quantizer").integer("signed", 0) == 1);
  REQUIRE(attributes_of(tensorrt, "relu1.quantizer").integer("symmetric", 0) == 1);
  REQUIRE(attributes_of(tensorrt, "fc.weight.quantizer").integer("float_bias", 0) == 1);
  auto finished = tensorrt.clone();
  quant::finish(finished);
  REQUIRE(finished.node("fc").inputs[2] == "fc.bias");
  const auto qnnpack = quantised_residual(kNative, "{runtime: qnnpack}");
  REQUIRE_FALSE(attributes_of(qnnpack, "conv2.weight.quantizer").has("axis"));
  const auto cmsis = quantised_residual(kNative, "{runtime: cmsis-nn}");
  REQUIRE(attributes_of(cmsis, "relu1.quantizer").integer("signed", 0) == 1);
  REQUIRE(attributes_of(cmsis, "relu1.quantizer").integer("symmetric", 1) == 0);
  const auto nnie = quantised_residual(kNative, "{runtime: nnie, bits_weights: 16}");
  REQUIRE(attributes_of(nnie, "relu1.quantizer").text("format", "") == "gfpq");
  REQUIRE(attributes_of(nnie, "conv2.weight.quantizer").integer("bits", 0) == 16);
  const auto own = quantised_residual(kNative, "{runtime: tensorrt, activations: asymmetric_unsigned}");
  REQUIRE(attributes_of(own, "relu1.quantizer").integer("signed", 1) == 0);
  require_error([] { make_quantizer(kNative, "{runtime: tensort}"); }, "unknown runtime 'tensort'",
                "did you mean 'tensorrt'?");
}

TEST_CASE("post-train: an operator that the runtime has no quantised form of stays in floating point, with one line") {
  const std::string text = R"(graph g(input: float[N,3,8,8]) -> (output = c)
parameter w.weight: float[2,3,1,1]
parameter v.weight: float[3,3,1,1]
first = Conv(input, %v.weight) kernel_shape=[1,1]
bent = Tanh(first)
again = Tanh(bent)
c = Conv(again, %w.weight) kernel_shape=[1,1]
)";
  auto graph = filled_graph(text);
  const auto line = captured_stderr([&] { quantize(graph, kNative, "{}", calibration_of({images()})); });
  REQUIRE_THAT(line, Catch::Contains("onnxruntime has no quantised form of Tanh ('bent')"));
  REQUIRE(graph.find_node("first.quantizer") != nullptr);  // the convolution puts out integers all the same
  REQUIRE(graph.find_node("bent.quantizer") == nullptr);
  REQUIRE(graph.find_node("again.quantizer") != nullptr);
  auto all = filled_graph(text);
  quantize(all, kNative, "{runtime: null}", calibration_of({images()}));
  REQUIRE(all.find_node("bent.quantizer") != nullptr);
}

TEST_CASE("post-train: an operator without any quantised form is named too, not what merely picks numbers") {
  auto graph = filled_graph(R"(graph g(input: float[N,3,8,8]) -> (output = c, place = best)
parameter v.weight: float[3,3,1,1]
parameter n.weight: float[8]
parameter w.weight: float[2,3,1,1]
parameter bn.weight: float[3]
parameter bn.bias: float[3]
parameter bn.running_mean: float[3] fixed
parameter bn.running_var: float[3] fixed
first = Conv(input, %v.weight) kernel_shape=[1,1]
bn = BatchNormalization(first, %bn.weight, %bn.bias, %bn.running_mean, %bn.running_var)
normal = LayerNormalization(bn, %n.weight) axis=-1
c = Conv(normal, %w.weight) kernel_shape=[1,1]
best = ArgMax(c) axis=1
)");
  const auto line = captured_stderr([&] { quantize(graph, kNative, "{}", calibration_of({images()})); });
  REQUIRE_THAT(line, Catch::Contains("onnxruntime has no quantised form of LayerNormalization ('normal'): such layers "
                                     "stay in floating point"));
}

TEST_CASE("post-train: dynamic quantisation needs no samples and follows each batch") {
  auto graph = filled_graph(kResidual);
  quantize(graph, kNative, "{dynamic: true}");
  const auto x = images();
  const auto expected = evaluated(filled_graph(kResidual), x);
  REQUIRE((evaluated(graph, x) - expected).norm().item<double>() < 0.03 * expected.norm().item<double>());
  REQUIRE((evaluated(graph, x * 100) / 100).isfinite().all().item<bool>());
}

TEST_CASE("post-train: statistics can be written and read in place of samples") {
  const TemporaryFolder folder;
  const auto file = (folder / "stats.yaml").string();
  const auto x = images();
  const auto first = quantised_residual(kNative, "{save_statistics: " + file + ", observer: averaged_min_max}");
  auto second = filled_graph(kResidual);
  quantize(second, kNative, "{statistics: " + file + ", observer: averaged_min_max}");
  REQUIRE(evaluated(first, x).equal(evaluated(second, x)));
  require_error([&] { make_quantizer(kNative, "{statistics: " + file + ", observer: mse}"); }, "mse");
}

TEST_CASE("post-train: all-zero and constant values have grids, and bias correction changes biases only") {
  auto graph = filled_graph(kResidual);
  graph.assign("conv1.weight", at::zeros({8, 3, 3, 3}));
  quantize(graph, kNative, "{}", calibration_of({at::full({2, 3, 8, 8}, 0.5)}));
  REQUIRE(evaluated(graph, images()).isfinite().all().item<bool>());
  REQUIRE(graph.parameter("conv1.weight.quantizer.scale").value.eq(1).all().item<bool>());
  const auto plain = quantised_residual(kNative, "{bits_weights: 4}");
  const auto corrected = quantised_residual(kNative, "{bits_weights: 4, bias_correction: true}");
  REQUIRE_FALSE(corrected.parameter("fc.bias").value.equal(plain.parameter("fc.bias").value));
  REQUIRE(corrected.parameter("fc.weight").value.equal(plain.parameter("fc.weight").value));
}

TEST_CASE("post-train: wrong arguments are found before work starts") {
  const auto wrong = [](const std::string& yaml) { return [yaml] { make_quantizer(kNative, yaml); }; };
  require_error(wrong("{bits_weights: 20}"), "'bits_weights' is 20", "2 to 16 bits");
  require_error(wrong("{activations: gfpq, bits_activations: 6}"), "activations", "6");
  require_error(wrong("{weights: float8_e4m3, bits_weights: 4}"), "'bits_weights' is 4, but the format has 8 bits");
  require_error(wrong("{weights: gfpq, group_size: 4}"), "'group_size' goes with weights of integers");
  require_error(wrong("{observer: percentil}"), "unknown observer 'percentil'", "did you mean 'percentile'?");
  require_error(wrong("{observer: n_std}"), "n");
  require_error(wrong("{calibration_samples: 4, calibration_fraction: 0.5}"), "both given");
  require_error(wrong("{statistics: a.yaml, save_statistics: b.yaml}"), "'save_statistics' has nothing to write");
  for (const std::string idle :
       {"clip_search: true", "net_aware_ranges: true", "no_clip_layers: [relu1]", "statistics: a.yaml",
        "save_statistics: a.yaml", "calibration_samples: 8", "calibration_fraction: 0.5"})
    require_error(wrong("{dynamic: true, " + idle + "}"),
                  "'dynamic' has no ranges to calibrate: '" + idle.substr(0, idle.find(':')) + "' does not go with it",
                  "leave one of the two out");
  for (const std::string observed : {"observer: mse", "overrides: {conv1: {observer: mse}}"})
    require_error(wrong("{dynamic: true, " + observed + "}"),
                  "'observer' chooses ranges that stay, but quantisation is dynamic: each batch has its own",
                  "leave one of the two out");
  REQUIRE(make_quantizer(kNative, "{dynamic: true}")->calibration_samples() == 0);
  make_quantizer(kNative, "{dynamic: true, bias_correction: true, calibration_samples: 8, weight_observer: mse}");
  require_error(wrong("{statistics: a.yaml, calibration_samples: 8}"),
                "'calibration_samples' has nothing to do: the statistics come from 'a.yaml'");
  require_error(wrong("{statistics: a.yaml, calibration_fraction: 0.5}"), "'calibration_fraction' has nothing to do");
  make_quantizer(kNative, "{statistics: a.yaml, bias_correction: true, calibration_samples: 8}");
  require_error(wrong("{bits_inputs: 16, quantize_inputs: false}"),
                "'bits_inputs' is 16, but 'quantize_inputs' is false");
  require_error(wrong("{bits_inputs: 17}"), "'bits_inputs' is 17", "2 to 16 bits");
  require_error(wrong("{scale_approx_mult_bits: 32}"), "'scale_approx_mult_bits'", "in [2, 31]");
  for (const std::string format : {"gfpq", "float16"})
    require_error(wrong("{activations: " + format + ", scale_rule: power_of_two}"), "with scale_rule 'power_of_two'",
                  "'activations'");
  require_error(wrong("{overrides: {conv1: {fpq_module: 8}}}"), "'fpq_module' is 8", "16, 32 or 64");
  REQUIRE(make_quantizer(kNative, "{observer: null, weight_observer: null}")->post_training());
  REQUIRE(make_quantizer(kNative, "{calibration_fraction: 0.25}")->calibration_fraction() == 0.25);
}

TEST_CASE("post-train: the graph's inputs can have bits of their own") {
  const auto graph = quantised_residual(kNative, "{bits_inputs: 12}");
  REQUIRE(attributes_of(graph, "input.quantizer").integer("bits", 0) == 12);
  REQUIRE(attributes_of(graph, "relu1.quantizer").integer("bits", 0) == 8);
  REQUIRE(quantised_residual(kNative, "{bits_inputs: 32}").find_node("input.quantizer") == nullptr);
}

TEST_CASE("post-train: ranges are cut to what the next activation function can tell apart, on request") {
  const std::string text = R"(graph g(input: float[N,3,8,8]) -> (output = out)
parameter a.weight: float[2,3,1,1]
a = Conv(input, %a.weight) kernel_shape=[1,1]
pooled = MaxPool(a) kernel_shape=[3,3] pads=[1,1,1,1]
bent = Clip(pooled) max=0.5 min=0.0
out = Add(bent, bent)
)";
  const auto scale = [&](const std::string& yaml) {
    auto graph = filled_graph(text);
    quantize(graph, kNative, yaml, calibration_of({images()}));
    return graph.parameter("a.quantizer.scale").value.item<double>();
  };
  REQUIRE(scale("{net_aware_ranges: true}") == Approx(0.5 / 255));
  REQUIRE(scale("{}") > 1.0 / 255);
}

TEST_CASE("post-train: bias correction takes off the error of weights that the overflow guard put on 7 bits") {
  const auto x = images();
  const auto expected = evaluated(filled_graph(kResidual), x).mean(at::IntArrayRef{0});
  const auto error = [&](const std::string& yaml) {
    const auto graph = quantised_residual(kNative, yaml);
    REQUIRE(attributes_of(graph, "conv2.weight.quantizer").integer("bits", 0) == 7);
    return (evaluated(graph, x).mean(at::IntArrayRef{0}) - expected).abs().max().item<double>();
  };
  REQUIRE(error("{overflow_guard: seven_bits}") > 1e-4);
  REQUIRE(error("{overflow_guard: seven_bits, bias_correction: true}") < 1e-5);
}

TEST_CASE("post-train: without a sample there are no ranges") {
  auto graph = filled_graph(kResidual);
  require_error([&] { quantize(graph, kNative, "{}", calibration_of({})); }, "calibration got no sample");
}

TEST_CASE("post-train: Distiller's linear quantiser puts every layer's output on a grid, symmetric by default") {
  const auto graph = quantised_residual(kLinear, "{calibration_samples: 8}");
  REQUIRE(graph.outputs[0].value == "fc.quantizer");
  REQUIRE(attributes_of(graph, "relu1.quantizer").integer("narrow_range", 1) == 0);
  REQUIRE(attributes_of(graph, "relu1.quantizer").integer("symmetric", 0) == 1);
  REQUIRE_FALSE(attributes_of(graph, "conv2.weight.quantizer").has("axis"));
  const auto mixed = quantised_residual(
      kLinear, "{calibration_samples: 8, mode: {activations: ASYMMETRIC_UNSIGNED, weights: SYMMETRIC}}");
  REQUIRE(attributes_of(mixed, "relu1.quantizer").integer("signed", 1) == 0);
  REQUIRE(attributes_of(mixed, "conv2.weight.quantizer").integer("signed", 0) == 1);
  REQUIRE(relative_error(kLinear, "{calibration_samples: 8, per_channel_wts: true}") < 0.03);
}

TEST_CASE("post-train: Distiller's clip modes, also of weights") {
  const auto scale = [](const std::string& yaml, const std::string& what) {
    return quantised_residual(kLinear,
                              "{calibration_samples: 8, bits_activations: 4, bits_parameters: 4, " + yaml + "}")
        .parameter(what + ".quantizer.scale")
        .value.item<double>();
  };
  const double all = scale("clip_acts: NONE", "conv2");
  for (const std::string mode : {"AVG", "GAUSS", "LAPLACE", "N_STD, clip_n_stds: 2"}) {
    INFO(mode);
    REQUIRE(scale("clip_acts: " + mode, "conv2") < all);
    REQUIRE(scale("also_clip_weights: true, clip_acts: " + mode, "conv2.weight") !=
            scale("clip_acts: " + mode, "conv2.weight"));
  }
  // Behind a ReLU the distribution is the upper half: clip_half_range is set there.
  REQUIRE(scale("clip_acts: LAPLACE", "relu1") == scale("clip_acts: LAPLACE, clip_half_range: true", "relu1"));
  REQUIRE(scale("clip_acts: LAPLACE", "conv2") < scale("clip_acts: LAPLACE, clip_half_range: true", "conv2"));
}

TEST_CASE("post-train: without weight bits Distiller's layers compute in floating point on quantised outputs") {
  const auto graph = quantised_residual(kLinear, "{calibration_samples: 8, bits_parameters: null}");
  REQUIRE(graph.node("conv2").inputs[1] == "conv2.weight");
  REQUIRE(graph.find_node("conv2.quantizer") != nullptr);
  REQUIRE(graph.find_node("input.quantizer") == nullptr);
}

TEST_CASE("post-train: Distiller's single-layer arguments") {
  const auto graph = quantised_residual(
      kLinear, "{calibration_samples: 8, overrides: {relu2: {make_identity: true}, fc: {fp16: true}, conv1: "
               "{input_overrides: {0: {bits_activations: 5, mode: ASYMMETRIC_SIGNED}}}}}");
  REQUIRE(graph.find_node("relu2") == nullptr);
  REQUIRE(attributes_of(graph, graph.node("fc").inputs[1]).text("format", "") == "float16");
  REQUIRE(attributes_of(graph, "input.quantizer").integer("bits", 0) == 5);
  const auto same = quantised_residual(
      kLinear, "{calibration_samples: 8, overrides: {conv1: {bits_activations: 6, input_overrides: {0: {from_output: "
               "true}}}}}");
  REQUIRE(attributes_of(same, "input.quantizer").integer("bits", 0) == 6);
  const auto floating =
      quantised_residual(kLinear, "{calibration_samples: 8, overrides: {conv1: {quantize_inputs: false}}}");
  REQUIRE(floating.node("conv1").inputs[0] == "input");
  require_error(
      [] { quantised_residual(kLinear, "{calibration_samples: 8, overrides: {pool: {make_identity: true}}}"); },
      "'make_identity' of node 'pool'", "shape");
}

TEST_CASE("post-train: an input without a grid falls back to the layer's, or is refused") {
  REQUIRE(quantised_residual(kLinear, "{calibration_samples: 8}").find_node("input.quantizer") != nullptr);
  require_error([] { quantised_residual(kLinear, "{calibration_samples: 8, inputs_quant_auto_fallback: false}"); },
                "'conv1' needs its input 'input' on a grid, but nothing puts it there",
                "inputs_quant_auto_fallback: true");
}

TEST_CASE("post-train: wrong arguments of Distiller's quantiser are found before work starts") {
  const auto wrong = [](const std::string& yaml) { return [yaml] { make_quantizer(kLinear, yaml); }; };
  require_error(wrong("{mode: ASYMETRIC_UNSIGNED}"), "unknown mode 'ASYMETRIC_UNSIGNED'", "ASYMMETRIC_UNSIGNED");
  require_error(wrong("{calibration_samples: 8, clip_acts: N_STD}"), "needs 'clip_n_stds'");
  require_error(wrong("{clip_acts: GAUSS}"), "needs statistics, but quantisation is dynamic");
  require_error(wrong("{calibration_samples: 8, clip_acts: N_STD, clip_n_stds: 2, also_clip_weights: true, "
                      "per_channel_wts: true}"),
                "does not go with weights per channel");
  require_error(wrong("{fp16: true, fpq_module: 32}"), "'fp16' means fpq_module: 16");
  require_error(wrong("{calibration_samples: 8, clip_acts: N_STD}"), "clip_n_stds: 2");
  require_error(wrong("{clip_acts: GAUSS}"), "give 'model_activation_stats' or 'calibration_samples'");
  require_error(wrong("{clip_search: true}"), "'clip_search' has no ranges to choose: quantisation is dynamic",
                "give 'model_activation_stats' or 'calibration_samples'");
  require_error(wrong("{save_statistics: a.yaml}"), "'save_statistics' has nothing to write: quantisation is dynamic",
                "give 'calibration_samples'");
  require_error(wrong("{model_activation_stats: a.yaml, calibration_samples: 8}"),
                "'calibration_samples' has nothing to do: the statistics come from 'a.yaml'",
                "leave one of the two out");
  require_error(wrong("{bits_parameters: 20}"), "'bits_parameters' is 20", "2 to 16 bits");
  require_error(wrong("{fpq_module: 8}"), "'fpq_module' is 8", "16, 32 or 64");
  require_error(wrong("{scale_approx_mult_bits: 32}"), "'scale_approx_mult_bits'", "in [2, 31]");
}
