#include "distill/value_channels.h"

#include "graph/text_form.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::distill;

namespace {

using Positions = std::vector<int64_t>;

/// Two convolutions side by side, then both in one value.
Graph two_branches() {
  return parse_graph("graph g(x: float[N,1,4,4]) -> (both)\nparameter a.weight: float[2,1,1,1]\n"
                     "parameter a.bias: float[2]\nparameter b.weight: float[3,1,1,1]\n"
                     "a = Conv(x, %a.weight, %a.bias) kernel_shape=[1,1]\n"
                     "b = Conv(x, %b.weight) kernel_shape=[1,1]\nboth = Concat(a, b) axis=1\n");
}

}  // namespace

TEST_CASE("value channels: they follow the parameters that they live with", "[distill]") {
  const auto graph = two_branches();
  ValueChannels channels(analysis::CoupledChannels(graph), "both", 1, 5);
  REQUIRE(channels.original() == Positions{0, 1, 2, 3, 4});
  REQUIRE_FALSE(channels.apply({.sliced = {{.parameter = "other", .axis = 0, .kept = {0}}}}));
  REQUIRE(channels.apply({.sliced = {{.parameter = "b.weight", .axis = 0, .kept = {0, 2}}}}) == Positions{0, 1, 2, 4});
  REQUIRE(channels.original() == Positions{0, 1, 2, 4});

  ValueChannels loaded;
  loaded.load(channels.save());
  for (auto* each : {&channels, &loaded}) {
    REQUIRE(each->apply({.renamed = {{"b.weight", "c.weight"}},
                         .sliced = {{.parameter = "c.weight", .axis = 0, .kept = {1}}}}) == Positions{0, 1, 3});
    REQUIRE(each->original() == Positions{0, 1, 4});
  }
}

TEST_CASE("value channels: when one parameter is removed another one tells", "[distill]") {
  const auto graph = two_branches();
  ValueChannels channels(analysis::CoupledChannels(graph), "both", 1, 5);
  REQUIRE_FALSE(channels.apply({.removed = {"a.weight"}}));
  REQUIRE(channels.apply({.sliced = {{.parameter = "a.bias", .axis = 0, .kept = {1}}}}) == Positions{1, 2, 3, 4});
}

TEST_CASE("value channels: counting can begin anew", "[distill]") {
  const auto graph = two_branches();
  ValueChannels channels(analysis::CoupledChannels(graph), "a", 1, 2);
  REQUIRE(channels.apply({.sliced = {{.parameter = "a.bias", .axis = 0, .kept = {1}}}}) == Positions{1});
  REQUIRE(channels.original() == Positions{1});
  channels.restart();
  REQUIRE(channels.original() == Positions{0});
}

TEST_CASE("value channels: images have them along the second axis, sequences along the last", "[distill]") {
  const auto graph = parse_graph("graph g(x: float[N,3,4], y: float[N,2,5,5]) -> (m, y)\nparameter w: float[4,6]\n"
                                 "m = MatMul(x, %w)\n");
  const analysis::CoupledChannels channels(graph);
  REQUIRE(channel_axis(channels, "m", 3) == 2);
  REQUIRE(channel_axis(channels, "x", 3) == 2);
  REQUIRE(channel_axis(channels, "y", 4) == 1);
}
