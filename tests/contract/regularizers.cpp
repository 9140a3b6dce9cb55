#include "core/text.h"
#include "support/check_error.h"
#include "support/close.h"
#include "unit/regularize/support.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

// What holds for every regulariser. The examples below must cover every class and every enumerator.

namespace compress::regularize::test {

namespace {

struct Example {
  std::string name, arguments, misspelt;  ///< the last: with a parameter that is not there
};

const Example kRegularizers[] = {
    {"BatchNormScaleRegularizer", "{strength: 0.2}", "{strength: 0.2, weights: [norm1.scael]}"},
    {"BatchNormScaleRegularizer", "{strength: 0.2, weights: [norm2.scale]}", "{strength: 1, weights: [x*]}"},
    {"DropFilterRegularizer", "{weights: ['conv*.weight'], p: 0.3, every: 2}", "{weights: [conv1.wieght]}"},
    {"GroupLassoRegularizer", "reg_regims: {conv1.weight: [0.1, Filters], fc.weight: [0.2, Rows+Cols]}",
     "reg_regims: {conv1.wieght: [0.1, Filters]}"},
    {"GroupLassoRegularizer", "{reg_regims: {'conv*': [0.1, Channels+4D]}, threshold_criteria: Max, sqrt_size: true}",
     "reg_regims: {'x*': [0.1, 2D]}"},
    {"GroupLassoRegularizer", "{reg_regims: {conv2.weight: [0.3, 2D]}, threshold_criteria: Mean_Abs}",
     "reg_regims: {'x*': [0.1, 2D]}"},
    {"GroupLassoRegularizer",
     "{reg_regims: {conv2.weight: [0.3, {class: block, shape: [2, 4]}]}, threshold_criteria: None}",
     "reg_regims: {'x*': [0.1, 3D]}"},
    {"GroupVarianceRegularizer", "reg_regims: {conv2.weight: [0.01, Channels], fc.weight: [0.02, Rows]}",
     "reg_regims: {conv1.wieght: [0.1, Channels]}"},
    {"GrowingRegularizer", "{weights: ['conv*.weight'], share: 0.5, start: 0.1, step: 0.2, every: 1, ceiling: 1}",
     "{weights: [conv1.wieght]}"},
    {"GrowingRegularizer", "{weights: [fc.weight], group: element, start: 0.1}", "{weights: ['x*']}"},
    {"L1Regularizer", "reg_regims: {'*.weight': 0.1, fc.bias: 2}", "reg_regims: {conv1.wieght: 0.1}"},
    {"L1Regularizer", "{reg_regims: {fc.weight: 0.1}, threshold_criteria: Max}", "reg_regims: {'x*': 0.1}"},
    {"L1Regularizer", "{reg_regims: {fc.weight: 0.1}, threshold_criteria: Mean_Abs}", "reg_regims: {'x*': 0.1}"},
    {"L1Regularizer", "{reg_regims: {fc.weight: 0.1}, threshold_criteria: None}", "reg_regims: {'x*': 0.1}"},
    {"L2Regularizer", "reg_regims: {'*.weight': 0.1, fc.bias: 2}", "reg_regims: {conv1.wieght: 0.1}"},
    {"StructuredSparsityRegularizer", "{strength: 0.1, sqrt_size: true}", "{strength: 1, weights: [conv1.wieght]}"},
    {"StructuredSparsityRegularizer", "{strength: 0.1, weights: [conv1.weight]}", "{strength: 1, weights: ['x*']}"},
};

std::string printed_arguments(Regularizer& regularizer) {
  Settings settings;
  regularizer.declare(settings);
  return to_text(settings.print());
}

/// Loss and masks, bit by bit, of a mini-batch.
void require_same_minibatch(Regularizer& one, Regularizer& other, const Graph& graph, int64_t step) {
  for (auto* regularizer : {&one, &other}) regularizer->begin_minibatch(graph, {.step = step, .seed = 3});
  const auto loss = one.loss(graph), again = other.loss(graph);
  REQUIRE(loss.defined() == again.defined());
  if (loss.defined()) REQUIRE(loss.equal(again));
  for (const auto& [name, mask] : one.threshold_masks(graph))
    REQUIRE(mask.equal(other.threshold_masks(graph).at(name)));
  const auto factors = one.forward_factors(graph), same = other.forward_factors(graph);
  REQUIRE(factors.size() == same.size());
  for (const auto& [name, factor] : factors) REQUIRE(factor.equal(same.at(name)));
}

}  // namespace

TEST_CASE("regularisers: the examples cover every class and every word of every choice", "[contract]") {
  for (const auto* entry : regularizers().entries()) {
    std::string all;
    for (const auto& example : kRegularizers)
      if (example.name == entry->name) all += example.arguments;
    INFO(entry->name);
    REQUIRE_FALSE(all.empty());
    Settings settings;
    const auto regularizer = entry->make();
    regularizer->declare(settings);
    for (const auto& field : settings.fields()) {
      if (!field.type.starts_with("one of ")) continue;
      for (const auto& word : split(field.type.substr(std::string_view("one of ").size()), '|')) {
        INFO(word);
        REQUIRE(all.find(fmt::format("{}: {}", field.name, trim(word))) != std::string::npos);
      }
    }
  }
}

TEST_CASE("regularisers: arguments print as they were read", "[contract]") {
  for (const auto& example : kRegularizers) {
    INFO(example.name << ' ' << example.arguments);
    const auto graph = residual();
    const auto first = bound_regularizer(graph, example.name, example.arguments);
    const auto text = printed_arguments(*first);
    const auto second = bound_regularizer(graph, example.name, text);
    REQUIRE(printed_arguments(*second) == text);
    REQUIRE(first->thresholds() == second->thresholds());
    require_same_minibatch(*first, *second, graph, 0);
  }
}

TEST_CASE("regularisers: gradients are those of finite differences", "[contract]") {
  for (const auto& example : kRegularizers) {
    INFO(example.name << ' ' << example.arguments);
    auto graph = residual();
    const auto regularizer = bound_regularizer(graph, example.name, example.arguments);
    regularizer->begin_minibatch(graph, {.step = 1});
    if (regularizer->loss(graph).defined()) check_loss_gradients(*regularizer, graph);
  }
}

TEST_CASE("regularisers: one that is resumed goes on with the same bits", "[contract]") {
  for (const auto& example : kRegularizers) {
    INFO(example.name << ' ' << example.arguments);
    const auto graph = residual();
    const auto first = bound_regularizer(graph, example.name, example.arguments);
    for (int64_t step = 0; step < 3; ++step) first->begin_minibatch(graph, {.step = step, .seed = 3});
    const auto memory = first->save();
    auto later = residual();
    for (Parameter& parameter : later.parameters()) parameter.value.detach().mul_(-0.7);
    const auto second = bound_regularizer(later, example.name, example.arguments);
    second->load({.values = nlohmann::json::parse(memory.values.dump()), .tensors = memory.tensors});
    REQUIRE(second->parameters() == first->parameters());
    for (int64_t step = 3; step < 6; ++step) require_same_minibatch(*first, *second, later, step);
  }
}

TEST_CASE("regularisers: removed and renamed parameters are followed", "[contract]") {
  for (const auto& example : kRegularizers) {
    INFO(example.name << ' ' << example.arguments);
    auto graph = residual();
    const auto regularizer = bound_regularizer(graph, example.name, example.arguments);
    regularizer->begin_minibatch(graph, {});
    const auto before = regularizer->parameters();
    const auto gone = before.front();
    Changes changes;
    changes.removed = {gone};
    for (size_t i = 1; i < before.size(); ++i) {
      graph.rename_parameter(before[i], "new." + before[i]);
      changes.renamed.emplace_back(before[i], "new." + before[i]);
    }
    regularizer->apply(changes);
    REQUIRE(regularizer->parameters().size() == before.size() - 1);
    for (const auto& name : regularizer->parameters()) REQUIRE(name.starts_with("new."));
    regularizer->begin_minibatch(graph, {.step = 2});
    regularizer->loss(graph);
    for (const auto& [name, factor] : regularizer->forward_factors(graph)) REQUIRE(graph.find_parameter(name));
    for (const auto& [name, mask] : regularizer->threshold_masks(graph)) REQUIRE(graph.find_parameter(name));
  }
}

TEST_CASE("regularisers: a name that matches nothing is an error that quotes it", "[contract]") {
  const auto graph = residual();
  for (const auto& example : kRegularizers) {
    INFO(example.name << ' ' << example.misspelt);
    const auto text = compress::test::error_text([&] { bound_regularizer(graph, example.name, example.misspelt); });
    const bool pattern = example.misspelt.find("x*") != std::string::npos;
    REQUIRE_THAT(text,
                 Catch::Contains(pattern ? "the pattern 'x*' matches no parameter of 'g'" : "'g' has no parameter '"));
    if (!pattern) REQUIRE_THAT(text, Catch::Contains("did you mean '"));
  }
}

}  // namespace compress::regularize::test
