#include "run/model.h"

#include "support/check_error.h"
#include "zoo.h"

#include <catch2/catch.hpp>

namespace compress::run {

using test::require_error;

namespace {

Graph opened(const std::string& text) {
  const auto recipe = schedule::Recipe::parse(parse_yaml(text, "recipe.yaml"));
  return open_model(recipe, [](const std::string& spec) { return models::open_model(spec, 1); });
}

}  // namespace

TEST_CASE("open_model: the recipe's model", "[run]") {
  REQUIRE(opened("model: {arch: 'lenet5?classes=3'}\n").parameter("fc2.bias").value.size(0) == 3);
}

TEST_CASE("open_model: what is wrong with the model is said at its place in the recipe", "[run]") {
  require_error([] { opened("model:\n  onnx: nothere.onnx\n"); },
                "recipe.yaml:2:9: ", "the model file 'nothere.onnx' does not exist");
  require_error([] { opened("model:\n  arch: lenet6\n"); }, "recipe.yaml:2:9: ", "unknown model 'lenet6'",
                "did you mean 'lenet5'?");
  require_error([] { opened("model: {arch: 'lenet5?clases=3'}\n"); }, "recipe.yaml:1:15: ", "'clases'",
                "did you mean 'classes'?");
  require_error([] { opened("model: {run: nowhere/run}\n"); }, "recipe.yaml:1:14: ", "does not exist");
  require_error([] { opened("model: {arch: lenet5, weights: no.safetensors}\n"); },
                "recipe.yaml:1:32: ", "the weights 'no.safetensors' do not exist");
}

}  // namespace compress::run
