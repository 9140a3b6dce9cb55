#include "small_graphs.h"
#include "support/check_error.h"
#include "train/trainer.h"

#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;
using Names = std::vector<std::string>;

const std::vector<data::FieldInfo> kPair = {{"left", {3, 16, 16}}, {"right", {3, 16, 16}}, {"label", {}, at::kLong}};
const std::vector<data::FieldInfo> kImage = {{"image", {3, 16, 16}}, {"label", {}, at::kLong}};

TEST_CASE("inputs: the mapping counts, then the name, then the only field that is no target", "[train]") {
  REQUIRE(match_inputs(pair_net(), kPair, {{"a", "right"}, {"b", "left"}}) == Names{"right", "left"});
  REQUIRE(match_inputs(conv_net(), kImage, {}) == Names{"image"});
  REQUIRE(match_inputs(conv_net(), {{"pixels", {3, 16, 16}}, {"label", {}, at::kLong}}, {}) == Names{"pixels"});
}

TEST_CASE("inputs: what does not fit lists inputs and fields", "[train]") {
  require_error([] { match_inputs(pair_net(), kPair, {}); }, "no field of the data fits the model's input 'a'",
                "inputs of 'pair_net': a, b; fields of the data: left (3x16x16), right (3x16x16), label (scalar); "
                "model.inputs maps");
  require_error(
      [] {
        match_inputs(pair_net(), kPair, {{"a", "left"}, {"b", "middle"}});
      },
      "the data has no field 'middle'");
  require_error([] { match_inputs(pair_net(), kPair, {{"c", "left"}}); }, "model.inputs: the model has no input 'c'");
  require_error(
      [] {
        match_inputs(conv_net(), {{"image", {1, 28, 28}}}, {});
      },
      "the model's input 'image' takes 3x16x16, but field 'image' of the data is 1x28x28");
}

TEST_CASE("inputs: tensors come in the graph's order", "[train]") {
  const data::Batch batch{.fields = {{"left", at::zeros({2, 3, 16, 16})},
                                     {"right", at::zeros({2, 3, 16, 16})},
                                     {"label", at::zeros({2}, at::kLong)}},
                          .size = 2};
  const auto inputs = graph_inputs(pair_net(), batch, {{"a", "right"}, {"b", "left"}}, at::kCPU);
  REQUIRE(inputs[0].is_same(batch.at("right")));
  REQUIRE(inputs[1].is_same(batch.at("left")));
}

}  // namespace
}  // namespace compress::train
