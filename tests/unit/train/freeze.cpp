#include "train/freeze.h"

#include "small_graphs.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

Freeze frozen(const std::string& yaml) {
  Freeze freeze;
  freeze.field().read(parse_yaml(yaml, "test.yaml"));
  return freeze;
}

TEST_CASE("freeze: frozen parameters keep their bits, the others learn", "[train]") {
  Setup setup(conv_net(), "synthetic");
  setup.config.freeze = frozen("['conv1.*', bn.weight]");
  const Graph before = setup.graph.clone();
  setup.trainer(1).run();
  const auto same = [&](const char* name) {
    return before.parameter(name).value.equal(setup.graph.parameter(name).value);
  };
  for (const char* name : {"conv1.weight", "conv1.bias", "bn.weight"}) REQUIRE(same(name));
  // The offset learns, so the statistics do.
  for (const char* name : {"bn.bias", "bn.running_mean", "fc.weight"}) REQUIRE_FALSE(same(name));
}

TEST_CASE("freeze: a frozen batch-norm keeps its statistics unless told otherwise", "[train]") {
  const auto mean_moves = [](bool keep_statistics) {
    Setup setup(conv_net(), "synthetic");
    setup.config.freeze = frozen("['bn.*', 'conv1.*']");
    setup.config.freeze_statistics = keep_statistics;
    const Graph before = setup.graph.clone();
    setup.trainer(1).run();
    REQUIRE_FALSE(before.parameter("fc.weight").value.equal(setup.graph.parameter("fc.weight").value));
    return !before.parameter("bn.running_mean").value.equal(setup.graph.parameter("bn.running_mean").value);
  };
  REQUIRE_FALSE(mean_moves(true));
  REQUIRE(mean_moves(false));
}

TEST_CASE("freeze: what is in front of a frozen batch-norm still learns", "[train]") {
  Setup setup(conv_net(), "synthetic");
  setup.config.freeze = frozen("['bn.*']");
  const Graph before = setup.graph.clone();
  setup.trainer(1).run();
  REQUIRE_FALSE(before.parameter("conv1.weight").value.equal(setup.graph.parameter("conv1.weight").value));
}

TEST_CASE("freeze: a pattern that matches nothing is named with its place and the nearest name", "[train]") {
  const Graph graph = conv_net();
  require_error([&] { check_freeze(frozen("[conv1.wieght, fc.weight, 'layer*']"), graph); },
                "test.yaml:1:2: error: freeze: 'conv1.wieght' matches no trainable parameter of 'conv_net'",
                "did you mean 'conv1.weight'?", "test.yaml:1:27: error: freeze: 'layer*'");
  require_error([&] { check_freeze(frozen("[bn.running_mean]"), graph); }, "matches no trainable parameter");
  require_error([&] { check_freeze(frozen("['*']"), graph); }, "every trainable parameter of 'conv_net' is frozen",
                "training.epochs: 0");
  require_error([&] { frozen("{a: b}"); }, "freeze");
  REQUIRE_NOTHROW(check_freeze({}, graph));
  Setup setup(conv_net(), "synthetic");
  setup.config.freeze = frozen("[x]");
  require_error([&] { setup.trainer(1); }, "freeze: 'x' matches no trainable parameter");
}

}  // namespace
}  // namespace compress::train
