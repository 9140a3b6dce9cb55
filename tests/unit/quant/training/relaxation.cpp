#include "quant/training/relaxation.h"

#include "quant/training/freeze_delay.h"
#include "unit/quant/training/training_world.h"

#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;

namespace {

Relaxation relaxation_of(const std::string& arguments) {
  Relaxation relaxation;
  read_into(relaxation, "{relaxation: " + arguments + "}");
  return relaxation;
}

/// An epoch with this training loss; the bits it trained with.
std::pair<int64_t, int64_t> epoch(Relaxation& relaxation, TrainingWorld& world, double loss) {
  relaxation.on_epoch_begin(world.state);
  const auto bits = world.bits();
  world.step(static_cast<uint64_t>(world.state.epoch));
  world.state.training = {{"loss", loss}};
  relaxation.on_epoch_end(world.state);
  ++world.state.epoch;
  return bits;
}

using BitPair = std::pair<int64_t, int64_t>;

/// The second epoch diverged; the next one begins with the first one's weights.
struct DivergedWorld : TrainingWorld {
  DivergedWorld() : TrainingWorld("bits_activations: 4, bits_weights: 4") {
    epoch(relaxation, *this, 1);
    best = graph.parameter("conv1.weight").value.detach().clone();
    momentum = optimizer->state();
    for (auto& [name, tensor] : momentum) tensor = tensor.clone();
    epoch(relaxation, *this, 2);
  }

  Relaxation relaxation = relaxation_of("{W_bits: 8, x_bits: 8, divergence_policy: lower_lr}");
  at::Tensor best;  ///< conv1.weight behind the first epoch
  std::map<std::string, at::Tensor> momentum;
};

}  // namespace

TEST_CASE("relaxation: bits come down to each grid's own, an epoch behind the stale loss", "[quant]") {
  TrainingWorld world("bits_activations: 7, bits_weights: 6");
  auto relaxation = relaxation_of("{W_bits: 8, x_bits: 8}");
  REQUIRE(epoch(relaxation, world, 1) == BitPair{8, 8});
  REQUIRE(epoch(relaxation, world, 0.999) == BitPair{8, 8});
  REQUIRE_THAT(relaxation.unmet(world.graph), Catch::Contains("came to 7 bits for weights and 7 for values"));
  REQUIRE(epoch(relaxation, world, 0.998) == BitPair{7, 7});
  REQUIRE(epoch(relaxation, world, 0.998) == BitPair{7, 7});
  REQUIRE(epoch(relaxation, world, 0.998) == BitPair{6, 7});
  REQUIRE(relaxation.unmet(world.graph).empty());
}

TEST_CASE("relaxation: at the grids' own bits it ends, and the learning rate stays", "[quant]") {
  TrainingWorld world("bits_activations: 6, bits_weights: 6");
  auto relaxation = relaxation_of("{W_bits: 7, x_bits: 7, lr_scaler: 0.5}");
  for (int i = 0; i < 9; ++i) epoch(relaxation, world, 1);
  REQUIRE(world.bits() == BitPair{6, 6});
  REQUIRE(world.state.lr_scale == 0.5);
}

TEST_CASE("relaxation: the learning rate is multiplied, on top of the policies' factor", "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  auto relaxation = relaxation_of("{W_bits: 8, x_bits: 8, lr_scaler: 0.5}");
  epoch(relaxation, world, 1);
  epoch(relaxation, world, 1);
  REQUIRE(world.state.lr_scale == 1);
  epoch(relaxation, world, 1);
  REQUIRE(world.state.lr_scale == 0.5);
}

TEST_CASE("relaxation: a point's learning rate is that of its first step, whatever the policies' factor is",
          "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  auto relaxation = relaxation_of("{W_bits: 8, x_bits: 8, custom_scaler: [{W_bits: 6, x_bits: 6, lr: 0.02}]}");
  epoch(relaxation, world, 1);
  epoch(relaxation, world, 1);
  world.state.lr_factor = 0.5;  // of the last epoch
  relaxation.on_epoch_begin(world.state);
  world.state.lr_factor = 0;  // a warm-up begins
  relaxation.on_minibatch_begin(world.state);
  REQUIRE(world.state.lr_scale == 1);
  train::Memory memory;
  relaxation.save(memory);
  auto resumed = relaxation_of("{W_bits: 8, x_bits: 8, custom_scaler: [{W_bits: 6, x_bits: 6, lr: 0.02}]}");
  resumed.load(memory);
  for (auto* some : {&relaxation, &resumed}) {
    world.state.lr_factor = 0.1;
    some->on_minibatch_begin(world.state);
    REQUIRE(world.optimizer->base_lr() * world.state.lr_multiplier() == Approx(0.02));
    world.state.lr_factor = 0.05;
    some->on_minibatch_begin(world.state);
    REQUIRE(world.optimizer->base_lr() * world.state.lr_multiplier() == Approx(0.01));
  }
}

TEST_CASE("relaxation: a divergence brings back the best weights and the optimiser's state", "[quant]") {
  DivergedWorld world;
  REQUIRE_FALSE(world.graph.parameter("conv1.weight").value.equal(world.best));
  world.relaxation.on_epoch_begin(world.state);
  REQUIRE(world.graph.parameter("conv1.weight").value.equal(world.best));
  world.optimizer->bind(world.graph);
  const auto now = world.optimizer->state();
  REQUIRE(now.size() == world.momentum.size());
  for (const auto& [name, tensor] : world.momentum) REQUIRE(now.at(name).equal(tensor));
  REQUIRE(world.state.lr_scale == Approx(0.2));
}

TEST_CASE("relaxation: what has been masked since stays zero when the best weights come back", "[quant]") {
  DivergedWorld world;
  auto& weight = world.graph.parameter("conv1.weight");
  weight.mask = random_tensor(weight.value.sizes().vec(), 3).gt(0).to(at::kFloat);
  const at::NoGradGuard no_grad;
  world.graph.writable("conv1.weight").mul_(weight.mask);
  auto& hidden = world.graph.parameter("fc.weight");  // masked in the forward pass alone
  hidden.mask = random_tensor(hidden.value.sizes().vec(), 4).gt(0).to(at::kFloat);
  world.relaxation.on_epoch_begin(world.state);
  REQUIRE(weight.value.masked_select(weight.mask.eq(0)).eq(0).all().item<bool>());
  REQUIRE(weight.value.masked_select(weight.mask.ne(0)).ne(0).all().item<bool>());
  REQUIRE(hidden.value.masked_select(hidden.mask.eq(0)).ne(0).all().item<bool>());
}

TEST_CASE("relaxation: after an edit of the network its best weights are those of another one, and stay away",
          "[quant]") {
  DivergedWorld world;
  FreezeDelay now;
  read_into(now, "{freeze_bn_delay: 0}");
  now.on_minibatch_begin(world.state);
  world.optimizer->bind(world.graph);
  const auto folded = world.graph.parameter("conv1.weight").value.detach().clone();
  world.relaxation.on_epoch_begin(world.state);
  REQUIRE(world.graph.parameter("conv1.weight").value.equal(folded));
}

TEST_CASE("relaxation: it goes on where it was", "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  auto relaxation = relaxation_of("{W_bits: 8, x_bits: 8}");
  epoch(relaxation, world, 1);
  epoch(relaxation, world, 1);  // decided: 7 bits, not yet done
  train::Memory memory;
  relaxation.save(memory);
  auto resumed = relaxation_of("{W_bits: 8, x_bits: 8}");
  resumed.load(memory);
  REQUIRE(epoch(resumed, world, 1) == BitPair{7, 7});
  REQUIRE(epoch(resumed, world, 1) == BitPair{7, 7});
  REQUIRE(epoch(resumed, world, 1) == BitPair{6, 6});
}

TEST_CASE("relaxation: the ranges of weights are taken anew, with few bits only on request", "[quant]") {
  const bool reset = GENERATE(true, false);
  TrainingWorld world("bits_activations: 8, bits_weights: 4, fold_batchnorm: false");
  auto relaxation =
      relaxation_of(reset ? "{W_bits: 5, x_bits: 8, reset_alpha_below_6bits: true}" : "{W_bits: 5, x_bits: 8}");
  world.graph.writable("fc.weight").detach().mul_(2);
  const auto before = world.graph.parameter("fc.weight.quantizer.scale").value.item<double>();
  relaxation.on_epoch_begin(world.state);
  const auto after = world.graph.parameter("fc.weight.quantizer.scale").value.item<double>();
  REQUIRE(after == Approx(before * (15.0 / 31.0) * (reset ? 2 : 1)));
}

TEST_CASE("relaxation: without its argument nothing happens", "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  Relaxation relaxation;
  read_into(relaxation, "{}");
  REQUIRE_FALSE(relaxation.given());
  relaxation.on_epoch_begin(world.state);
  relaxation.on_epoch_end(world.state);
  REQUIRE(world.bits() == BitPair{4, 4});
  REQUIRE_THROWS_WITH(relaxation_of("{W_bits: 1}"), Catch::Contains("W_bits"));
  REQUIRE_THROWS_WITH(relaxation_of("{for_epoch: 1}"), Catch::Contains("for_epochs"));
}
