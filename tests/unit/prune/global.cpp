#include "core/yaml.h"
#include "prune/amount.h"
#include "support/check_error.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using compress::test::require_error;
using prune::Amount;
using prune::Measured;
using prune::Unit;

namespace {

std::unique_ptr<Amount> global(const std::string& arguments) {
  auto amount = prune::amounts().make("global");
  Settings settings;
  amount->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), "global");
  return amount;
}

/// A network whose units cost 1 and 10 MACs a structure, 2 and 3 parameters of four bytes.
Measured price(const std::vector<at::Tensor>& maps) {
  const double first = maps[0].sum().item<double>(), second = maps[1].sum().item<double>();
  const double all = static_cast<double>(maps[0].numel() + maps[1].numel());
  const double parameters = 2 * first + 3 * second;
  return {.sparsity = 1 - (first + second) / all,
          .macs = first + 10 * second,
          .parameters = parameters,
          .bytes = 4 * parameters};
}

std::vector<Unit> two_units() {
  std::vector<Unit> units(2);
  units[0].name = "a";
  units[0].strengths = at::tensor({1.0F, 3.0F, 5.0F, 7.0F});
  units[1].name = "b";
  units[1].strengths = at::tensor({20.0F, 40.0F, 60.0F, 80.0F});
  return units;
}

/// The maps as "1000 0110".
std::string kept(Amount& amount, const prune::Moment& moment = {}) {
  const Graph graph;
  const auto units = two_units();
  const prune::Measure measure = price;
  std::string text;
  for (const auto& map : amount.keep({graph, units, moment, measure})) {
    for (int64_t i = 0; i < map.numel(); ++i) text += map[i].item<float>() == 1 ? '1' : '0';
    text += ' ';
  }
  return text;
}

std::string kept(const std::string& arguments) {
  return kept(*global(arguments));
}

}  // namespace

TEST_CASE("global: the weakest of all weights go, whatever weight they are in") {
  REQUIRE(kept("{of: sparsity, remove: 0.5}") == "0001 0111 ");
  REQUIRE(kept("{of: sparsity, remove: 0}") == "1111 1111 ");
}

TEST_CASE("global: the target is reached by what is counted") {
  REQUIRE(kept("{of: macs, remove: 0.05}") == "0001 1111 ");        // 44 -> 41
  REQUIRE(kept("{of: macs, remove: 0.5}") == "0001 0011 ");         // -> 21
  REQUIRE(kept("{of: parameters, remove: 0.3}") == "0001 1111 ");   // 20 -> 14
  REQUIRE(kept("{of: parameters, remove: 0.31}") == "0001 0111 ");  // -> 11
  REQUIRE(kept("{of: bytes, remove: 0.31}") == "0001 0111 ");
}

TEST_CASE("global: normalized strengths are compared within the scale of their weight") {
  REQUIRE(kept("{of: sparsity, remove: 0.5, normalize: mean}") == "0011 0011 ");
  REQUIRE(kept("{of: sparsity, remove: 0.5, normalize: norm}") == "0011 0011 ");
}

TEST_CASE("global: one structure of each weight stays, and a target beyond that is an error") {
  REQUIRE(kept("{of: sparsity, remove: 0.75}") == "0001 0001 ");
  require_error([] { kept("{of: macs, remove: 0.8}"); }, "'remove: 0.8' cannot be reached", "25.0 % of the MACs",
                "'remove' can be 0.75 at most");
}

TEST_CASE("global: a gradual target follows a cubic curve, counted from the first time") {
  const auto amount = global("{of: sparsity, remove: 0.7, schedule: agp}");
  REQUIRE(kept(*amount, {.index = 0, .count = 3}) == "1111 1111 ");
  REQUIRE(kept(*amount, {.index = 1, .count = 3}) == "0001 0011 ");  // 0.6125
  REQUIRE(kept(*amount, {.index = 2, .count = 3}) == "0001 0001 ");
}

TEST_CASE("global: what the network was is part of its memory") {
  const auto amount = global("{of: macs, remove: 0.5}");
  kept(*amount);
  const auto other = global("{of: macs, remove: 0.5}");
  other->load(amount->save());
  REQUIRE(other->save().values == nlohmann::json{{"whole", 44.0}});
}

TEST_CASE("global: contradictions among its arguments are errors") {
  require_error([] { global("{of: macs, remove: 0.5, initial: 0.1}")->check({}); }, "'schedule: agp' only");
  require_error([] { global("{of: macs, remove: 0.5, schedule: agp, initial: 0.6}")->check({.count = 4}); },
                "'remove' (0.5) must be above 'initial' (0.6)");
  require_error([] { global("{of: macs, remove: 0.5, schedule: agp}")->check({.count = 1}); },
                "at least two active epochs, not 1");
  require_error([] { global("{of: mac, remove: 0.5}"); }, "recipe.yaml", "mac");
  require_error([] { global("{of: macs, remove: 1}"); }, "remove");
}
