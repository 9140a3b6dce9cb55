#include "core/yaml.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress {

namespace {

std::string overridden(const std::string& text, const std::string& assignment) {
  auto root = parse_yaml(text, "f.yaml");
  set_override(root, assignment);
  return to_text(root);
}

void require_no_override(const std::string& text, const std::string& assignment, const std::string& message) {
  INFO(assignment);
  test::require_error([&] { overridden(text, assignment); }, message);
}

}  // namespace

TEST_CASE("set_override: replaces and adds values", "[core]") {
  REQUIRE(overridden("training: {epochs: 3}", "training.epochs=5") == "training:\n  epochs: 5\n");
  REQUIRE(overridden("training: {epochs: 3}", "training.seed = 5") == "training:\n  epochs: 3\n  seed: 5\n");
  REQUIRE(overridden("a: 1", "a=[1, {b: c}]") == "a:\n  - 1\n  - b: c\n");
  REQUIRE(overridden("a: 1", "a=") == "a: null\n");
  REQUIRE(overridden("a: 1", "a=x=y") == "a: x=y\n");
}

TEST_CASE("set_override: makes the maps on the way", "[core]") {
  REQUIRE(overridden("", "a.b.c=1") == "a:\n  b:\n    c: 1\n");
  REQUIRE(overridden("a:", "a.b=1") == "a:\n  b: 1\n");
}

TEST_CASE("set_override: indexes lists", "[core]") {
  REQUIRE(overridden("p: {x: {weights: [a, b]}}", "p.x.weights[1]=c") == "p:\n  x:\n    weights: [a, c]\n");
  REQUIRE(overridden("p: [{epochs: 1}]", "p[0].epochs=2") == "p:\n  - epochs: 2\n");
  REQUIRE(overridden("p: [[1, 2], [3]]", "p[0][1]=9") == "p: [[1, 9], [3]]\n");
}

TEST_CASE("set_override: finds keys that contain dots", "[core]") {
  const std::string text = "levels: {conv1.weight: 0.1, conv1: {bias: 1}}";
  REQUIRE(overridden(text, "levels.conv1.weight=0.5") == "levels:\n  conv1.weight: 0.5\n  conv1:\n    bias: 1\n");
  REQUIRE(overridden(text, "levels.conv1.bias=2") == "levels:\n  conv1.weight: 0.1\n  conv1:\n    bias: 2\n");
}

TEST_CASE("set_override: a value points to the flag it came from", "[core]") {
  auto root = parse_yaml("training: {epochs: 3}", "f.yaml");
  set_override(root, "training.optimizer={lr: 0.1}");
  const auto& optimizer = *root.find("training")->find("optimizer");
  REQUIRE(optimizer.place.str() == "--set training.optimizer");
  REQUIRE(optimizer.find("lr")->place.str() == "--set training.optimizer");
  REQUIRE(optimizer.key_place("lr").str() == "--set training.optimizer");
  REQUIRE(root.find("training")->key_place("optimizer").str() == "--set training.optimizer");
  REQUIRE(root.find("training")->find("epochs")->place.file == "f.yaml");
}

TEST_CASE("set_override: a path that leads nowhere is an error", "[core]") {
  require_no_override("a: 1", "a", "error: 'a' is no assignment\n  hint: write --set path.to.key=value");
  require_no_override("a: 1", "=1", "a name is missing in front of '='");
  require_no_override("a: 1", "a.b=1", "--set a.b: error: 'a.' is text, not a map");
  require_no_override("a: [1]", "a.b=1", "is a list, not a map");
  require_no_override("a: [1]", "a[1]=1", "'a' has 1 items; there is no [1]\n  hint: counting starts at 0");
  require_no_override("a: {b: 1}", "a[0]=1", "'a' is a map, not a list");
  require_no_override("a: [1]", "a[x]=1", "behind 'a' stands no index like '[0]'");
  require_no_override("a: [1]", "a[-1]=1", "behind 'a' stands no index like '[0]'");
  require_no_override("a: [1]", "a[0=1", "behind 'a' stands no index like '[0]'");
  require_no_override("a: [1]", "a[99999999999999999999]=1", "behind 'a' stands no index like '[0]'");
  require_no_override("a: [{}]", "a[0]b=1", "'b' cannot follow 'a[0]'");
  require_no_override("a: {b: 1}", "a.=1", "'.' cannot follow 'a'");
  require_no_override("a: {b: 1}", "a..b=1", "a name is missing behind 'a.'");
  require_no_override("a: 1", "a=[1", "--set a:1:");
}

}  // namespace compress
