#include "prune/limits.h"

#include "core/yaml.h"

#include <ATen/ops/tensor.h>

#include <catch2/catch.hpp>

using namespace compress;
using prune::Limits;

namespace {

Limits limits(const std::string& arguments) {
  Limits limits;
  Settings settings;
  limits.declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), "limits");
  return limits;
}

/// "1" stays, "0" goes.
std::string limited(const std::string& arguments, const std::string& map, const std::vector<float>& strengths) {
  std::vector<float> values;
  for (const char c : map) values.push_back(c == '1' ? 1.0F : 0.0F);
  const at::Tensor made = limits(arguments).apply(at::tensor(values), at::tensor(strengths));
  std::string text;
  for (int64_t i = 0; i < made.numel(); ++i) text += made[i].item<float>() == 1 ? '1' : '0';
  return text;
}

}  // namespace

TEST_CASE("limits: without arguments a map stays as it is, but never empty") {
  REQUIRE(limited("{}", "0110", {1, 2, 3, 4}) == "0110");
  REQUIRE(limited("{}", "0000", {1, 4, 3, 2}) == "0100");
}

TEST_CASE("limits: the strongest of the removed come back to a minimum, among equal ones the last") {
  REQUIRE(limited("{min_channels: 3}", "1000", {1, 2, 3, 2}) == "1011");
  REQUIRE(limited("{min_channels: 2}", "0000", {1, 1, 1, 1}) == "0011");
  REQUIRE(limited("{min_channels: 9}", "1000", {1, 2, 3, 2}) == "1111");
}

TEST_CASE("limits: the number that stays is a multiple, rounded up, down or to the nearest") {
  const std::vector<float> strengths = {1, 2, 3, 4, 5, 6, 7, 8};
  REQUIRE(limited("{multiple_of: 4}", "00000111", strengths) == "00001111");
  REQUIRE(limited("{multiple_of: 4, rounding: down}", "00111111", strengths) == "00001111");
  REQUIRE(limited("{multiple_of: 4, rounding: nearest}", "00011111", strengths) == "00001111");
  REQUIRE(limited("{multiple_of: 4, rounding: nearest}", "00111111", strengths) == "11111111");
  REQUIRE(limited("{multiple_of: 4, rounding: down}", "00000011", strengths) == "00001111");
}

TEST_CASE("limits: all channels may stay where their number is no multiple") {
  REQUIRE(limits("{multiple_of: 4, rounding: down}").allowed(6, 6) == 6);
  REQUIRE(limits("{multiple_of: 4}").allowed(6, 5) == 6);
  REQUIRE(limits("{multiple_of: 8, min_channels: 9}").allowed(64, 3) == 16);
}
