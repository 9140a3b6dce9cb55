#include "quant/training/bit_schedule.h"

#include "support/check_error.h"
#include "unit/quant/training/training_world.h"

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::quant;
using namespace compress::test;

namespace {

BitSchedule schedule_of(const std::string& yaml) {
  BitSchedule schedule;
  read_into(schedule, yaml);
  schedule.check({4, 6});
  return schedule;
}

/// The bits of weights and values in each of these epochs.
std::vector<std::pair<int64_t, int64_t>>
bits_in(BitSchedule& schedule, TrainingWorld& world, const std::vector<int64_t>& epochs) {
  std::vector<std::pair<int64_t, int64_t>> bits;
  for (const auto epoch : epochs) {
    world.state.epoch = epoch;
    schedule.on_epoch_begin(world.state);
    bits.push_back(world.bits());
  }
  return bits;
}

using BitPairs = std::vector<std::pair<int64_t, int64_t>>;

}  // namespace

TEST_CASE("bits schedule: epochs move the floor, and no grid has fewer bits than its own", "[quant]") {
  TrainingWorld world("bits_activations: 6, bits_weights: 4");
  auto schedule = schedule_of("{bits_schedule: {1: 8, 2: {bits_weights: 5, bits_activations: 8}, 4: 3}}");
  REQUIRE(bits_in(schedule, world, {0, 1, 2, 3, 4}) == BitPairs{{4, 6}, {8, 8}, {5, 8}, {5, 8}, {4, 6}});
  REQUIRE(schedule.unmet(world.graph).empty());
}

TEST_CASE("bits schedule: initial_bits come down at every active epoch", "[quant]") {
  TrainingWorld world("bits_activations: 6, bits_weights: 4");
  auto schedule = schedule_of("{initial_bits: 8, bits_step: 2}");
  REQUIRE(bits_in(schedule, world, {3, 5}) == BitPairs{{8, 8}, {6, 6}});
  REQUIRE_THAT(schedule.unmet(world.graph), Catch::Contains("not lowered to those asked for"));
  REQUIRE(bits_in(schedule, world, {7, 9}) == BitPairs{{4, 6}, {4, 6}});
  REQUIRE(schedule.unmet(world.graph).empty());
}

TEST_CASE("bits schedule: it goes on where it was", "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  auto schedule = schedule_of("{initial_bits: 8}");
  bits_in(schedule, world, {0, 1});
  train::Memory memory;
  schedule.save(memory);
  auto resumed = schedule_of("{initial_bits: 8}");
  resumed.load(memory);
  REQUIRE(bits_in(resumed, world, {2, 3}) == BitPairs{{6, 6}, {5, 5}});
}

TEST_CASE("bits schedule: without arguments nothing changes and nothing is kept", "[quant]") {
  TrainingWorld world("bits_activations: 4, bits_weights: 4");
  auto schedule = schedule_of("{}");
  REQUIRE(bits_in(schedule, world, {0, 1}) == BitPairs{{4, 4}, {4, 4}});
  train::Memory memory;
  schedule.save(memory);
  REQUIRE(memory.values.is_null());
}

TEST_CASE("bits schedule: what its arguments refuse", "[quant]") {
  REQUIRE_THROWS_WITH(schedule_of("{initial_bits: 8, bits_schedule: {0: 8}}"), Catch::Contains("exclude each other"));
  REQUIRE_THROWS_WITH(schedule_of("{bits_schedule: 8}"), Catch::Contains("must be a map from epochs to bits"));
  REQUIRE_THROWS_WITH(schedule_of("{bits_schedule: {first: 8}}"), Catch::Contains("'epoch of bits_schedule'"));
  REQUIRE_THROWS_WITH(schedule_of("{bits_schedule: {0: 1}}"), Catch::Contains("'bits of bits_schedule'"));
  REQUIRE_THROWS_WITH(schedule_of("{bits_schedule: {0: {weights: 8}}}"), Catch::Contains("bits_weights"));
  REQUIRE_THROWS_WITH(schedule_of("{initial_bits: 40}"), Catch::Contains("initial_bits"));
}

TEST_CASE("bits schedule: what would have no effect is refused", "[quant]") {
  const std::string ends = "training ends with weights of 4 bits and values of 6 bits";
  require_error([] { schedule_of("{bits_step: 2}"); },
                "'bits_step' says how fast 'initial_bits' come down, and they are not given", "initial_bits: 8");
  require_error([] { schedule_of("{initial_bits: 4}"); }, "'initial_bits' is 4, and " + ends);
  require_error([] { schedule_of("{bits_schedule: {0: {bits_weights: 4, bits_activations: 6}, 2: 3}}"); },
                "'bits_schedule' changes nothing: " + ends, "bits_weights: 4 with bits_schedule: {0: 8, 2: 6, 4: 4}");
  REQUIRE_NOTHROW(schedule_of("{bits_schedule: {0: 5}}"));
  REQUIRE_NOTHROW(schedule_of("{bits_schedule: {0: {bits_activations: 7}}}"));
  const auto late = schedule_of("{bits_schedule: {0: 8, 9: 4}}");
  REQUIRE_NOTHROW(late.check_epochs(9));
  require_error([&] { late.check_epochs(3); }, "'bits_schedule' has epoch 9, but the last epoch of its policy is 3",
                "epochs count from 0");
}
