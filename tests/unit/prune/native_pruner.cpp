// The native form of a pruner: words or maps for its parts, which weights it means, what it refuses.
#include "support/check_error.h"
#include "unit/prune/support.h"

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::prune;
using namespace compress::prune::fixtures;

namespace {

std::string native_refusal(const std::string& arguments, const Moment& moment = {}) {
  return compress::test::error_text([&] {
    const Graph graph = small_graph();
    make_pruner("Pruner", arguments)->check(moment);
    bound_pruner(graph, "Pruner", arguments);
  });
}

Settings declared(Pruner& pruner) {
  Settings settings;
  pruner.declare(settings);
  return settings;
}

}  // namespace

TEST_CASE("native pruner: a word or a map for each part; a number is a level", "[prune]") {
  for (const std::string amount : {"0.5", "{class: level, level: 0.5}", "{class: level, level: {'*': 0.5}}"})
    for (const std::string criterion : {"l1", "{class: lp, p: 3}", "{class: l2, mean: true}"}) {
      Graph graph = small_graph();
      const auto pruner = bound_pruner(graph, "Pruner",
                                       "{granularity: element, weights: [fc.weight], amount: " + amount +
                                           ", criterion: " + criterion + "}");
      pruner->set_masks(graph, {});
      REQUIRE(mask_of(graph, "fc.weight") == std::vector<int>{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1});
    }
}

TEST_CASE("native pruner: without weights it means those of all convolutions and linear layers", "[prune]") {
  const Graph graph = small_graph();
  const auto all = bound_pruner(graph, "Pruner", "{granularity: element, amount: 0.5}");
  REQUIRE(all->parameters() == std::vector<std::string>{"conv1.weight", "layer1.0.conv1.weight", "fc.weight"});
  const auto some = bound_pruner(graph, "Pruner", "{granularity: element, amount: 0.5, weights: ['*1.*', fc.bias]}");
  REQUIRE(some->parameters() == std::vector<std::string>{"conv1.weight", "layer1.0.conv1.weight", "fc.bias"});
}

TEST_CASE("native pruner: 2:4 keeps the two strongest of each four inputs", "[prune]") {
  Graph graph = small_graph();
  const auto pruner = bound_pruner(graph, "Pruner", "granularity: '2:4'");
  REQUIRE(pruner->parameters() == std::vector<std::string>{"layer1.0.conv1.weight", "fc.weight"});
  pruner->set_masks(graph, {});
  REQUIRE(mask_of(graph, "fc.weight") == std::vector<int>{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1});
}

TEST_CASE("native pruner: filters are coupled unless told otherwise", "[prune]") {
  Graph graph = small_graph();
  bound_pruner(graph, "Pruner", "{granularity: filter, amount: 0.5, weights: [conv1.weight]}")->set_masks(graph, {});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
  REQUIRE(mask_of(graph, "bn1.bias") == std::vector<int>{0, 0, 1, 1});

  Graph alone = small_graph();
  const auto pruner =
      bound_pruner(alone, "Pruner", "{granularity: filter, amount: 0.5, weights: [conv1.weight], dependency: none}");
  pruner->set_masks(alone, {});
  REQUIRE(kept_along(alone, "conv1.weight", 0) == std::vector<int>{0, 0, 1, 1});
  REQUIRE(mask_of(alone, "bn1.bias").empty());
}

TEST_CASE("native pruner: at least min_channels stay, and a multiple of multiple_of", "[prune]") {
  Graph graph = small_graph();
  bound_pruner(graph, "Pruner",
               "{granularity: filter, amount: 0.7, weights: [conv1.weight], dependency: none, min_channels: 3}")
      ->set_masks(graph, {});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{0, 1, 1, 1});
  bound_pruner(graph, "Pruner",
               "{granularity: filter, amount: 0.7, weights: [conv1.weight], dependency: none, multiple_of: 4}")
      ->set_masks(graph, {});
  REQUIRE(kept_along(graph, "conv1.weight", 0) == std::vector<int>{1, 1, 1, 1});
}

TEST_CASE("native pruner: a name that was written out must fit, one that a pattern found is left out", "[prune]") {
  const Graph graph = small_graph();
  REQUIRE_THAT(native_refusal("{granularity: column, amount: 0.5, weights: [conv1.weight]}"),
               Catch::Contains("'conv1.weight' has no columns: its shape is 4x2x3x3"));
  const auto pruner = bound_pruner(graph, "Pruner", "{granularity: column, amount: 0.5, weights: ['*']}");
  REQUIRE(pruner->parameters() == std::vector<std::string>{"fc.weight"});
  REQUIRE_THAT(native_refusal("{granularity: column, amount: 0.5, weights: ['*conv*']}"),
               Catch::Contains("has no columns"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: 0.5, weights: ['bn*']}"),
               Catch::Contains("match no weight of a convolution or linear layer"));
}

TEST_CASE("native pruner: what is wrong is said with place and nearest name", "[prune]") {
  REQUIRE_THAT(native_refusal("{granularity: filtre, amount: 0.5}"),
               Catch::Contains("recipe.yaml:1:15") && Catch::Contains("unknown granularity 'filtre'") &&
                   Catch::Contains("did you mean 'filter'?"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: {class: agp, initail: 0.1, final: 0.5}}"),
               Catch::Contains("unknown key 'initail' in amount 'agp'") && Catch::Contains("did you mean 'initial'?"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: 1}"),
               Catch::Contains("'level' must be a number in [0, 1)"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: {final: 0.5}}"),
               Catch::Contains("'amount' lacks 'class'"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: [0.5]}"), Catch::Contains("must be a word or a map"));
  REQUIRE_THAT(native_refusal("{granularity: element}"), Catch::Contains("missing 'amount'"));
  REQUIRE_THAT(native_refusal("{granularity: '2:4', amount: 0.5}"), Catch::Contains("'amount' has no meaning"));
  REQUIRE_THAT(native_refusal("{granularity: '2:4', multiple_of: 8}"), Catch::Contains("'multiple_of' and 'rounding'"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: 0.5, importance: sum}"),
               Catch::Contains("'importance' has a meaning with 'dependency: coupled' only"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: {class: agp, initial: 0.1, final: 0.5}}"),
               Catch::Contains("needs at least two active epochs"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: {class: agp, initial: 0.6, final: 0.5}}", {.count = 3}),
               Catch::Contains("'final' (0.5) must be above 'initial' (0.6)"));
  REQUIRE_THAT(native_refusal("{granularity: element, amount: {class: level, level: {fc.weight: 0.5}}}"),
               Catch::Contains("'level' has no number for 'conv1.weight'"));
  REQUIRE_THAT(native_refusal("{granularity: element, dependency: leader, amount: 0.5}"),
               Catch::Contains("cannot follow its leader"));
}

TEST_CASE("native pruner: what is printed is read again, and has a schema", "[prune]") {
  const std::string written = "{criterion: {class: lp, p: 3}, granularity: {class: block, shape: [4, 1]}, amount: "
                              "{class: agp, initial: 0.05, final: 0.5}, weights: [fc.weight], noise: 0.25}";
  const auto pruner = make_pruner("Pruner", written);
  const auto printed = to_text(declared(*pruner).print());
  const auto again = make_pruner("Pruner", printed);
  REQUIRE(to_text(declared(*again).print()) == printed);
  const auto schema = declared(*pruner).schema();
  REQUIRE(schema["properties"]["amount"]["anyOf"].size() > 5);
  REQUIRE(schema["required"] == nlohmann::json({"granularity"}));
}
