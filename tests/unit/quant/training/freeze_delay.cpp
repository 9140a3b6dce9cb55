#include "quant/training/freeze_delay.h"

#include "support/close.h"
#include "unit/quant/training/training_world.h"

#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros_like.h>

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;

namespace {

int64_t joined(const Graph& graph) {
  return std::ranges::count_if(graph.nodes(), [](const Node& node) { return node.op == "ConvBatchNormalization"; });
}

void begin_and_end(FreezeDelay& delay, TrainingWorld& world) {
  delay.on_minibatch_begin(world.state);
  delay.on_minibatch_end(world.state);
}

}  // namespace

TEST_CASE("freeze delay: after so many steps the layers are folded for good, and train on", "[quant]") {
  TrainingWorld world("bits_activations: 8, bits_weights: 8, per_channel_wts: true");
  FreezeDelay delay;
  read_into(delay, "{freeze_bn_delay: 2}");
  for (uint64_t step = 0; step < 2; ++step) {
    begin_and_end(delay, world);
    world.step(step);
    REQUIRE(joined(world.graph) == 2);
  }
  const auto x = random_tensor({4, 3, 8, 8}, 50), before = evaluated(world.graph, x);
  delay.on_minibatch_begin(world.state);
  REQUIRE(joined(world.graph) == 0);
  REQUIRE(world.graph.find_parameter("bn1.weight") == nullptr);
  REQUIRE(world.graph.node("conv1.weight.quantizer").attributes.text("method", "") == "minmax");
  require_close(evaluated(world.graph, x), before, 1e-5);
  ops::verify(world.graph);
  for (const auto& [name, tensor] : world.optimizer->state()) {
    INFO(name);
    REQUIRE(name.find("bn") == std::string::npos);
    REQUIRE(name.find("conv1.weight") == std::string::npos);  // of another unit
  }
  const auto weight = world.graph.parameter("conv1.weight").value.detach().clone();
  world.step(7);
  REQUIRE_FALSE(world.graph.parameter("conv1.weight").value.equal(weight));
  REQUIRE(world.graph.parameter("conv1.bias").value.requires_grad());
}

TEST_CASE("freeze delay: the steps count across a resume", "[quant]") {
  TrainingWorld world("bits_activations: 8, bits_weights: 8");
  FreezeDelay delay, resumed;
  read_into(delay, "{freeze_bn_delay: 2}");
  read_into(resumed, "{freeze_bn_delay: 2}");
  begin_and_end(delay, world);
  begin_and_end(delay, world);
  train::Memory memory;
  delay.save(memory);
  resumed.load(memory);
  resumed.on_minibatch_begin(world.state);
  REQUIRE(joined(world.graph) == 0);
}

TEST_CASE("freeze delay: null never freezes, 0 at once", "[quant]") {
  TrainingWorld world("bits_activations: 8, bits_weights: 8");
  FreezeDelay never, now;
  read_into(never, "{freeze_bn_delay: null}");
  begin_and_end(never, world);
  REQUIRE(joined(world.graph) == 2);
  read_into(now, "{freeze_bn_delay: 0}");
  now.on_minibatch_begin(world.state);
  REQUIRE(joined(world.graph) == 0);
  REQUIRE_THROWS_WITH(read_into(now, "{freeze_bn_delay: -1}"), Catch::Contains("freeze_bn_delay"));
}

TEST_CASE("freeze delay: masked weights stay zero", "[quant]") {
  TrainingWorld world("bits_activations: 8, bits_weights: 4");
  auto& weight = world.graph.parameter("conv1.weight");
  weight.mask = random_tensor(weight.value.sizes().vec(), 3).gt(0).to(at::kFloat);
  world.graph.writable("conv1.weight").detach().mul_(weight.mask);
  FreezeDelay now;
  read_into(now, "{freeze_bn_delay: 0}");
  now.on_minibatch_begin(world.state);
  REQUIRE(world.graph.parameter("conv1.weight").value.masked_select(weight.mask.eq(0)).eq(0).all().item<bool>());
}

TEST_CASE("freeze delay: a channel that was pruned as a whole stays zero, and its folded bias does not learn") {
  TrainingWorld world("bits_activations: 8, bits_weights: 4");
  for (const char* name : {"conv1.weight", "bn1.weight", "bn1.bias"}) {
    auto& parameter = world.graph.parameter(name);
    parameter.mask = at::ones_like(parameter.value.detach());
    parameter.mask.select(0, 2).zero_();
    world.graph.writable(name).detach().mul_(parameter.mask);
  }
  auto& gamma = world.graph.parameter("bn2.weight");  // without its beta the folded bias is not zero
  gamma.mask = at::zeros_like(gamma.value.detach());
  FreezeDelay now;
  read_into(now, "{freeze_bn_delay: 0}");
  now.on_minibatch_begin(world.state);
  const auto& bias = world.graph.parameter("conv1.bias");
  REQUIRE(bias.value[2].item<double>() == 0);
  REQUIRE(bias.mask.eq(0).sum().item<int64_t>() == 1);
  REQUIRE(bias.mask[2].item<double>() == 0);
  REQUIRE_FALSE(world.graph.parameter("conv2.bias").mask.defined());
}
