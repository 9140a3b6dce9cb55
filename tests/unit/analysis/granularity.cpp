#include "analysis/granularity.h"

#include "core/yaml.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/ops/arange.h>

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::analysis;
using namespace compress::test;

namespace {

std::unique_ptr<Granularity> cut_into(const std::string& name, const std::string& arguments = "{}") {
  auto made = granularities().make(name);
  Settings settings;
  made->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  return made;
}

/// A granularity with arguments that fit a weight, and how many structures it then has.
struct Cut {
  std::string name, arguments;
  Shape shape;
  int64_t structures;
};

const Cut kCuts[] = {
    {"element", "{}", {6}, 6},
    {"element", "{}", {4, 8, 3, 3}, 288},
    {"layer", "{}", {4, 8, 3, 3}, 1},
    {"filter", "{}", {4, 8, 3, 3}, 4},
    {"filter", "{}", {4, 8}, 4},
    {"channel", "{}", {4, 8, 3, 3}, 8},
    {"channel", "{}", {4, 8}, 8},
    {"kernel", "{}", {4, 8, 3, 3}, 32},
    {"kernel", "{}", {4, 8, 5}, 32},
    {"row", "{}", {4, 8}, 4},
    {"column", "{}", {4, 8}, 8},
    {"block", "{shape: [2, 4]}", {4, 8, 3, 3}, 36},
    {"block", "{shape: [2, 4, 3, 3]}", {4, 8, 3, 3}, 4},
    {"block", "{shape: [4]}", {4, 8}, 8},
    {"n_of_m", "{n: 2, m: 4}", {4, 8}, 32},
    {"n_of_m", "{n: 1, m: 8}", {4, 8, 3, 3}, 288},
};

}  // namespace

TEST_CASE("granularity: every entry scatters what it gathers back to where it was", "[analysis]") {
  std::set<std::string_view> seen;
  for (const auto& cut : kCuts) {
    INFO(cut.name << ' ' << cut.arguments);
    seen.insert(cut.name);
    const auto granularity = cut_into(cut.name, cut.arguments);
    granularity->check("w", cut.shape);
    const auto weight = wild(cut.shape);
    const auto structures = granularity->gather(weight);
    REQUIRE(structures.dim() == 2);
    REQUIRE(structures.size(0) == cut.structures);
    REQUIRE(structures.numel() == weight.numel());
    // The number of each element's structure, gathered again, is constant within the structure and in order.
    const auto numbers = at::arange(cut.structures, at::kDouble);
    const auto spread = granularity->scatter(numbers, cut.shape);
    REQUIRE(spread.sizes().equals(cut.shape));
    REQUIRE(granularity->gather(spread).equal(numbers.view({-1, 1}).expand(structures.sizes())));
    // Multiplying by a map of one structure leaves that structure's elements alone.
    const auto only = numbers.eq(double(cut.structures / 2)).to(at::kDouble);
    const auto left = granularity->gather(weight.mul(granularity->scatter(only, cut.shape)));
    REQUIRE(left.equal(structures.mul(only.view({-1, 1}))));
  }
  for (const auto* entry : granularities().entries()) REQUIRE(seen.contains(entry->name));
}

TEST_CASE("granularity: gathering is differentiable", "[analysis]") {
  for (const auto& cut : kCuts) {
    INFO(cut.name << ' ' << cut.arguments);
    const auto weight = wild(cut.shape).set_requires_grad(true);
    const auto structures = cut_into(cut.name, cut.arguments)->gather(weight);
    structures.mul(structures).sum().backward();
    REQUIRE(weight.grad().allclose(weight.detach().mul(2)));
  }
}

TEST_CASE("granularity: rows and columns are those of the stored matrix", "[analysis]") {
  const auto weight = at::arange(6, at::kDouble).view({2, 3});
  REQUIRE(cut_into("row")->gather(weight).equal(weight));
  REQUIRE(cut_into("column")->gather(weight).equal(weight.t()));
  REQUIRE(cut_into("row")->axis() == 0);
  REQUIRE(cut_into("column")->axis() == 1);
  REQUIRE(cut_into("kernel")->axis() == -1);
}

TEST_CASE("granularity: a block is consecutive inputs over consecutive outputs at one position", "[analysis]") {
  const auto weight = at::arange(16, at::kDouble).view({4, 4, 1, 1});
  const auto blocks = cut_into("block", "{shape: [2, 2, 1, 1]}")->gather(weight);
  REQUIRE(blocks[0].equal(numbers({0, 1, 4, 5})));
  REQUIRE(blocks[1].equal(numbers({2, 3, 6, 7})));
  REQUIRE(blocks[2].equal(numbers({8, 9, 12, 13})));
  REQUIRE_FALSE(cut_into("block", "{shape: [2, 2]}")->quota());
}

TEST_CASE("granularity: n of m counts along the inputs", "[analysis]") {
  const auto granularity = cut_into("n_of_m", "{n: 1, m: 2}");
  const auto weight = at::arange(8, at::kDouble).view({1, 4, 1, 2});
  REQUIRE(granularity->gather(weight).flatten().equal(numbers({0, 2, 4, 6, 1, 3, 5, 7})));
  REQUIRE(granularity->quota()->keep == 1);
  REQUIRE(granularity->quota()->of == 2);
}

TEST_CASE("granularity: weights without such structures are refused by name", "[analysis]") {
  const auto refused = [](const std::string& name, const std::string& arguments, const Shape& shape) {
    return error_text([&] { cut_into(name, arguments)->check("fc.weight", shape); });
  };
  using Catch::Contains;
  REQUIRE_THAT(refused("kernel", "{}", {10, 84}), Contains("'fc.weight' has no kernels: its shape is 10x84"));
  REQUIRE_THAT(refused("row", "{}", {10, 84, 3, 3}), Contains("'fc.weight' has no rows: its shape is 10x84x3x3"));
  REQUIRE_THAT(refused("column", "{}", {10}), Contains("'fc.weight' has no columns: its shape is 10"));
  REQUIRE_THAT(refused("filter", "{}", {10}), Contains("'fc.weight' has no filters: its shape is 10"));
  REQUIRE_THAT(refused("channel", "{}", {10}), Contains("'fc.weight' has no channels: its shape is 10"));
  REQUIRE_THAT(refused("block", "{shape: [4, 2]}", {10, 84}),
               Contains("'fc.weight' cannot be cut into blocks of 'shape' [4, 2]: axis 0 of its shape 10x84 is no "
                        "multiple of 4"));
  REQUIRE_THAT(refused("block", "{shape: [2, 2, 1, 1]}", {10, 84}),
               Contains("blocks of 'shape' [2, 2, 1, 1] have more axes than 'fc.weight', whose shape is 10x84"));
  REQUIRE_THAT(refused("n_of_m", "{n: 2, m: 4}", {6, 1, 5, 5}),
               Contains("'fc.weight' has 1 inputs (shape 6x1x5x5), no multiple of 4: 2 of each 4 cannot stay"));
  REQUIRE_THAT(refused("n_of_m", "{n: 2, m: 4}", {6}), Contains("'fc.weight' has no inputs to count 2 of 4 along"));
  REQUIRE_THAT(refused("n_of_m", "{n: 4, m: 4}", {4, 4}), Contains("'n' must be less than 'm', but 4 of 4"));
}

TEST_CASE("granularity: arguments out of range and unknown names are refused", "[analysis]") {
  require_error([] { cut_into("block", "{shape: [0, 2]}"); }, "'shape", "at least 1");
  require_error([] { cut_into("block"); }, "'shape'");
  require_error([] { cut_into("n_of_m", "{n: 0, m: 4}"); }, "'n' must be", "at least 1");
  require_error([] { cut_into("filtre"); }, "unknown granularity 'filtre'", "did you mean 'filter'?");
}
