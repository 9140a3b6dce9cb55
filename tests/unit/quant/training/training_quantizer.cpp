#include "exec/plan.h"
#include "ops/op.h"
#include "passes/pass.h"
#include "quant/export/absorb_batch_normalization.h"
#include "quant/export/lowering.h"
#include "quant/export/settle.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/quantization.h"
#include "unit/quant/training/presets.h"
#include "unit/quant/training/training_world.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace compress;
using namespace compress::test;

namespace {

quant::CalibrationBatches some_batches() {
  return calibration_of({random_tensor({16, 3, 8, 8}, 21), random_tensor({16, 3, 8, 8}, 23)});
}

Graph quantised_by(const std::string& text, const Preset& preset) {
  auto graph = filled_graph(text);
  quantize(graph, preset.name, preset.yaml, some_batches());
  return graph;
}

/// Half of the weights of a layer are masked.
void mask_half(Graph& graph, const std::string& weight) {
  auto& parameter = graph.parameter(weight);
  parameter.mask = random_tensor(parameter.value.sizes().vec(), 5).gt(0).to(at::kFloat);
  graph.assign(weight, parameter.value * parameter.mask);
}

/// The values of a weight as its layer reads them.
at::Tensor read_weight(const Graph& graph, const std::string& layer) {
  const auto& node = graph.node(layer);
  const auto* quantizer = graph.producer(node.inputs[1]);
  if (quantizer == nullptr) return graph.parameter(node.inputs[1]).value;
  std::vector<at::Tensor> inputs;
  for (const auto& name : quantizer->inputs) inputs.push_back(graph.parameter(name).value.detach());
  return exec::run_node(*quantizer, inputs)[0];
}

void settle_all(Graph& graph) {
  Changes changes;
  std::vector<Node*> nodes;
  for (auto& node : graph.nodes()) nodes.push_back(&node);
  for (auto* node : nodes)
    if (node->op == "FakeQuantize") quant::settle(graph, *node, changes);
}

/// A convolution, ReLU, and a convolution that reads it.
const std::string kChain = R"(graph chain(input: float[N,3,8,8]) -> (output = c2)
parameter c1.weight: float[4,3,3,3]
parameter c1.bias: float[4]
parameter c2.weight: float[2,4,3,3]
c1 = Conv(input, %c1.weight, %c1.bias) kernel_shape=[3,3] pads=[1,1,1,1]
relu = Relu(c1)
c2 = Conv(relu, %c2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
)";

template <class Test>
void for_all_presets(const Test& test) {
  for (const auto& preset : training_presets()) {
    INFO(preset.name << " " << preset.yaml);
    test(preset);
  }
}

}  // namespace

TEST_CASE("training quantisers: all are in the list of these tests") {
  std::set<std::string> tested;
  for (const auto& preset : training_presets()) tested.insert(preset.name);
  for (const auto* entry : quant::quantizers().entries())
    if (!entry->make()->post_training()) REQUIRE(tested.contains(std::string(entry->name)));
}

TEST_CASE("training quantisers: 25 steps lower the loss, and what is learned moves") {
  for_all_presets([](const Preset& preset) {
    auto graph = quantised_by(kResidual, preset);
    std::vector<std::pair<std::string, at::Tensor>> before;
    for (const auto& parameter : graph.parameters())
      if (parameter.trainable) before.emplace_back(parameter.name, parameter.value.clone());
    const auto losses = gradient_descent(graph, 25, 0.03);
    REQUIRE(losses.back() < 0.97 * losses.front());
    for (const auto& [name, value] : before) {
      INFO(name);
      REQUIRE(graph.parameter(name).value.isfinite().all().item<bool>());
      // A bound that clips nothing learns nothing.
      if (!name.ends_with(".alpha") && !name.ends_with(".beta") && !name.ends_with(".offset"))
        REQUIRE_FALSE(graph.parameter(name).value.equal(value));
    }
  });
}

TEST_CASE("training quantisers: masked weights are exactly zero in training, afterwards, and finished") {
  for_all_presets([](const Preset& preset) {
    auto graph = filled_graph(kResidual);
    for (const auto* weight : {"conv1.weight", "conv2.weight", "fc.weight"}) mask_half(graph, weight);
    quantize(graph, preset.name, preset.yaml, some_batches());
    gradient_descent(graph, 6, 0.05);
    auto finished = graph.clone();
    quant::finish(finished);
    for (const auto* layer : {"conv1", "conv2", "fc"}) {
      INFO(layer);
      const auto masked = graph.parameter(std::string(layer) + ".weight").mask.eq(0);
      REQUIRE(graph.parameter(std::string(layer) + ".weight").value.masked_select(masked).eq(0).all().item<bool>());
      for (const auto* some : {&graph, &finished})
        REQUIRE(read_weight(*some, layer).masked_select(masked).eq(0).all().item<bool>());
      REQUIRE(read_weight(finished, layer).ne(0).any().item<bool>());
    }
  });
}

TEST_CASE(
    "training quantisers: evaluation is the settled graph's to the bit, and to rounding with batch-norm absorbed") {
  for_all_presets([](const Preset& preset) {
    for (const auto& text : {kResidual, kSkip}) {
      auto graph = quantised_by(text, preset);
      gradient_descent(graph, 3, 0.05);
      auto settled = graph.clone();
      settle_all(settled);
      ops::verify(settled);
      const auto x = random_tensor({4, 3, 8, 8}, 31);
      const auto expected = evaluated(graph, x);
      REQUIRE(evaluated(settled, x).equal(expected));
      for (const auto& node : settled.nodes())
        if (node.op == "FakeQuantize") REQUIRE(node.attributes.text("method", "") == "fixed");
      quant::absorb_batch_normalization(settled);
      const auto error = (evaluated(settled, x) - expected).square().mean().item<double>();
      REQUIRE(error < 1e-3 * expected.square().mean().item<double>());
    }
  });
}

TEST_CASE("training quantisers: what is exported is finished, without batch-norm, and computes the same") {
  for_all_presets([](const Preset& preset) {
    auto graph = quantised_by(kResidual, preset);
    gradient_descent(graph, 5, 0.03);
    auto finished = graph.clone();
    quant::finish(finished);
    ops::verify(finished);
    for (const auto& node : finished.nodes()) REQUIRE(node.op != "BatchNormalization");
    const auto x = random_tensor({16, 3, 8, 8}, 21);
    require_close(evaluated(quant::lower_to_qdq(graph), x), evaluated(finished, x), 1e-4);
  });
}

TEST_CASE("training quantisers: 32 bits or null change nothing") {
  for_all_presets([](const Preset& preset) {
    auto graph = filled_graph(kResidual);
    REQUIRE(quantize(graph, preset.name, "{}", some_batches()).empty());
    REQUIRE(
        quantize(graph, preset.name, "{bits_activations: null, bits_weights: null, bits_bias: null}", some_batches())
            .empty());
  });
}

TEST_CASE("training quantisers: overrides mix bits by layer") {
  for_all_presets([](const Preset& preset) {
    auto yaml = preset.yaml;
    yaml.insert(yaml.size() - 1, ", overrides: {fc: {bits_weights: 8}, conv2: {bits_weights: null}}");
    const auto graph = quantised_by(kResidual, {preset.name, yaml});
    REQUIRE(graph.node("fc.weight.quantizer").attributes.integer("bits", 0) == 8);
    REQUIRE(graph.find_parameter(graph.node("conv2").inputs[1]) != nullptr);
    require_error(
        [&] {
          quantised_by(kResidual, {preset.name, "{bits_weights: 4, overrides: {fd: {bits_weights: 8}}}"});
        },
        "fd");
    require_error(
        [&] {
          quantised_by(kResidual, {preset.name, "{overrides: {fc: {bits: 8}}}"});
        },
        "bits", "bits_weights");
  });
}

TEST_CASE("training quantisers: learned scales of single channels are thinned with them") {
  for (const auto* name : {"LsqQuantizer", "TrainedRangeQuantizer", "NemoQuantizer"}) {
    INFO(name);
    auto graph = quantised_by(kChain, {name, "{bits_activations: 8, bits_weights: 8, per_channel_weights: true}"});
    gradient_descent(graph, 2, 0.01);
    const at::NoGradGuard no_grad;
    for (const auto* parameter : {"c1.weight", "c1.bias"}) graph.writable(parameter).select(0, 1).zero_();
    const auto x = random_tensor({4, 3, 8, 8}, 31);
    const auto before = evaluated(graph, x);
    passes::run(*passes::passes().make("thin"), "thin", graph);
    REQUIRE(graph.parameter("c1.weight").value.size(0) == 3);
    const auto& quantizer = graph.node("c1.weight.quantizer");
    for (size_t i = 1; i < quantizer.inputs.size(); ++i)
      REQUIRE(graph.parameter(quantizer.inputs[i]).value.numel() == 3);
    require_close(evaluated(graph, x), before, 1e-4);
  }
}

TEST_CASE("training quantisers: bits of inputs that are not quantised are refused") {
  require_error([] { make_quantizer("LsqQuantizer", "{quantize_inputs: false, num_bits_inputs: 8}"); },
                "'num_bits_inputs' is 8, but inputs are not quantised", "set 'quantize_inputs: true', or leave it out");
  require_error([] { make_quantizer("DorefaQuantizer", "{num_bits_inputs: 8}"); }, "inputs are not quantised");
}

TEST_CASE("training quantisers: those that begin with ranges say how many samples they want; others look at none") {
  REQUIRE(make_quantizer("LsqQuantizer", "{calibration_samples: 64}")->calibration_samples() == 64);
  REQUIRE(make_quantizer("DorefaQuantizer", "{}")->calibration_samples() == 0);
  require_error([] { make_quantizer("DorefaQuantizer", "{calibration_samples: 64}"); }, "calibration_samples");
  require_error([] { make_quantizer("LsqQuantizer", "{bits_weights: 1}"); }, "bits_weights");
  REQUIRE_NOTHROW(make_quantizer("PACTQuantizer", "{bits_weights: 1}"));
}

TEST_CASE("training quantisers: bits that begin no higher than they end are refused") {
  const auto make = [](const std::string& arguments) {
    make_quantizer("QuantAwareTrainRangeLinearQuantizer", "{bits_activations: 8, bits_weights: 4, " + arguments + "}");
  };
  require_error([&] { make("relaxation: {W_bits: 3}"); },
                "'W_bits' is 3, but no grid of weights ever has fewer than 4 bits, its own",
                "relaxation begins above the bits that training ends with");
  require_error([&] { make("relaxation: {x_bits: 7}"); },
                "'x_bits' is 7, but no grid of values ever has fewer than 8 bits, its own");
  require_error([&] { make("relaxation: {W_bits: 4, x_bits: 8}"); },
                "'relaxation' begins with 4 bits for weights and 8 for values, and training ends with "
                "weights of 4 bits and values of 8 bits");
  REQUIRE_NOTHROW(make("relaxation: {W_bits: 4, x_bits: 8, regimes: {0: {W_bits: 8, x_bits: 8}}}"));
  REQUIRE_NOTHROW(make("relaxation: {W_bits: 3, x_bits: 8}, overrides: {fc: {bits_weights: 2}}"));
  require_error([&] { make("initial_bits: 4"); }, "'initial_bits' is 4, and training ends with weights of 4 bits");
  REQUIRE_NOTHROW(make("initial_bits: 3, overrides: {fc: {bits_weights: 2}}"));
  require_error([] { make_quantizer("DorefaQuantizer", "{initial_bits: 8}"); },
                "training ends with weights in floating point and values in floating point");
  require_error(
      [] {
        make_quantizer("DorefaQuantizer", "{bits_weights: 4, relaxation: {regimes: {9: {W_bits: 6, x_bits: 6}}}}")
            ->check_epochs(8);
      },
      "'regimes' has epoch 9, but the last epoch of its policy is 8");
}

TEST_CASE("training quantisers: a run that goes on behind the policy's epochs still knows what was not reached") {
  const std::string yaml = "{bits_activations: 4, bits_weights: 4, initial_bits: 8}";
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  const auto first = make_quantizer("QuantAwareTrainRangeLinearQuantizer", yaml);
  first->on_epoch_begin(world.state);
  const auto resumed = make_quantizer("QuantAwareTrainRangeLinearQuantizer", yaml);
  resumed->load(first->save());
  resumed->on_training_begin(world.state);
  resumed->on_training_end(world.state);
  quant::finish(world.graph);
  REQUIRE_THAT(resumed->unmet(), Catch::Contains("not lowered to those asked for"));
}

TEST_CASE("training quantisers: weights that end with one bit may begin with more") {
  for (const std::string name : {"DorefaQuantizer", "PACTQuantizer"}) {
    INFO(name);
    const std::string yaml = "{bits_weights: 1, bits_activations: 4, initial_bits: 3}";
    auto graph = quantised_by(kResidual, {name, yaml});
    const auto quantizer = make_quantizer(name, yaml);
    TrainingWorld world("bits_activations: 4, bits_weights: 4");  // for what else a state refers to
    train::State state{.graph = graph, .optimizer = *world.optimizer, .data = world.data, .task = *world.task};
    for (const int64_t bits : {3, 2, 1, 1}) {
      quantizer->on_epoch_begin(state);
      REQUIRE(graph.node("conv1.weight.quantizer").attributes.integer("bits", 0) == bits);
      ops::verify(graph);
    }
    gradient_descent(graph, 2, 0.01);
    quantizer->on_training_end(state);
    REQUIRE(quantizer->unmet().empty());
  }
}
