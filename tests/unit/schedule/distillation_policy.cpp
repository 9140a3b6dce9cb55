#include "support/check_error.h"
#include "unit/schedule/world.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;
using compress::test::require_error;

namespace {

std::string two_distillers(const std::string& first, const std::string& second, int64_t second_start) {
  return "distillers:\n  one: {class: KnowledgeDistillation, teacher: self" + first +
         "}\n  two: {class: KnowledgeDistillation, teacher: self" + second +
         "}\npolicies:\n  - {distiller: {instance_name: one}, starting_epoch: 0, ending_epoch: 4}\n"
         "  - {distiller: {instance_name: two}, starting_epoch: " +
         std::to_string(second_start) + ", ending_epoch: 8}\n";
}

}  // namespace

TEST_CASE("distillation policy: two teachers of one epoch must agree on the weight of the labels", "[schedule]") {
  World world;
  require_error([&] { bound(two_distillers(", student_wt: 0.3", "", 2), world.graph); },
                "recipe.yaml:3:", "'student_wt' is 0.5 here and 0.3 in distiller 'one', which acts in the same epochs",
                "give both the same 'student_wt'");
  bound(two_distillers(", student_wt: 0.3", ", student_wt: 0.3", 2), world.graph);
  bound(two_distillers(", student_wt: 0.3", "", 4), world.graph);
}

TEST_CASE("distillation policy: errors name file, line and column", "[schedule]") {
  World world;
  require_error(
      [&] {
        bound("distillers:\n  hints: {class: HintDistillation, teacher: self,\n          values: {fcc: fc}}\n"
              "policies: [{distiller: {instance_name: hints}, starting_epoch: 0, ending_epoch: 4}]\n",
              world.graph);
      },
      "recipe.yaml:3:20: error: 'fcc' is no value of the network", "did you mean 'fc'?");
  require_error([] { recipe_of("distillers: {a: {class: HintDistillation, teacher: self, value: {a: b}}}"); },
                "unknown key 'value' in HintDistillation 'a'", "did you mean 'values'?");
}

TEST_CASE("distillation policy: only active policies have values observed", "[schedule]") {
  World world;
  const auto scheduler =
      bound("distillers: {relations: {class: RelationalDistillation, teacher: self, values: {fc: fc, input: input}}}\n"
            "policies: [{distiller: {instance_name: relations}, starting_epoch: 2, ending_epoch: 4}]\n",
            world.graph);
  REQUIRE(scheduler->observed(world.state).empty());
  world.state.epoch = 2;
  REQUIRE(scheduler->observed(world.state) == std::vector<std::string>{"fc", "input"});
}
