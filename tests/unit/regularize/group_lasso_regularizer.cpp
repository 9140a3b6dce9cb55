#include "support/check_error.h"
#include "support/close.h"
#include "unit/regularize/support.h"

using namespace compress;
using namespace compress::regularize;
using namespace compress::regularize::test;
using compress::test::numbers;
using compress::test::require_close;
using compress::test::require_error;

namespace {

double lasso(const Graph& graph, const std::string& arguments) {
  return loss_of(*bound_regularizer(graph, "GroupLassoRegularizer", arguments), graph);
}

at::Tensor lasso_mask(const std::string& groups, double strength, const std::string& criterion) {
  const auto graph = one_matrix();
  const auto arguments =
      fmt::format("{{reg_regims: {{fc.weight: [{}, {}]}}, threshold_criteria: {}}}", strength, groups, criterion);
  return bound_regularizer(graph, "GroupLassoRegularizer", arguments)->threshold_masks(graph).at("fc.weight").flatten();
}

}  // namespace

TEST_CASE("group lasso: the loss is the strength times the sum of L2 norms of rows, columns, or all", "[regularize]") {
  const auto graph = one_matrix();
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, Rows]}") == Approx(0.5 * 5));
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, Cols]}") == Approx(0.5 * 7));
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, Rows+Cols]}") == Approx(0.5 * 12));
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, 4D]}") == Approx(0.5 * 5));
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, Channels+4D]}") == Approx(0.5 * 12));
  REQUIRE(lasso(graph, "reg_regims: {fc.weight: [0.5, {class: block, shape: [2, 1]}]}") == Approx(0.5 * 7));
  REQUIRE(lasso(graph, "{reg_regims: {fc.weight: [0.5, Rows]}, sqrt_size: true}") == Approx(0.5 * 5 * std::sqrt(2)));
}

TEST_CASE("group lasso: kernels, filters and channels of a convolution", "[regularize]") {
  const auto graph = residual();
  const auto weight = graph.parameter("conv2.weight").value.detach();
  const auto sum_of_roots = [](const at::Tensor& squares) { return squares.sqrt().sum().item<double>(); };
  const auto squares = weight.mul(weight);
  const double kernels = sum_of_roots(squares.sum({2, 3}));
  const double filters = sum_of_roots(squares.sum({1, 2, 3}));
  const double channels = sum_of_roots(squares.sum({0, 2, 3}));
  const double all = sum_of_roots(squares.sum());
  for (const auto& [word, expected] : {std::pair{"2D", kernels},
                                       {"kernel", kernels},
                                       {"3D", filters},
                                       {"Filters", filters},
                                       {"Channels", channels},
                                       {"4D", all},
                                       {"Channels+4D", channels + all}})
    REQUIRE(lasso(graph, fmt::format("reg_regims: {{conv2.weight: [0.1, {}]}}", word)) == Approx(0.1 * expected));
}

TEST_CASE("group lasso: an exact name beats a pattern, and each has its own groups", "[regularize]") {
  const auto graph = residual();
  const auto both = lasso(graph, "reg_regims: {'conv*.weight': [0.1, Filters], conv2.weight: [3, 2D]}");
  REQUIRE(both == Approx(lasso(graph, "reg_regims: {conv1.weight: [0.1, Filters]}") +
                         lasso(graph, "reg_regims: {conv2.weight: [3, 2D]}")));
}

TEST_CASE("group lasso: a group of zeros has gradient 0", "[regularize]") {
  const auto graph = one_matrix();
  bound_regularizer(graph, "GroupLassoRegularizer", "reg_regims: {fc.weight: [1, Rows]}")->loss(graph).backward();
  require_close(graph.parameter("fc.weight").value.grad().flatten(), numbers({0.6, 0.8, 0, 0}), 1e-15);
}

TEST_CASE("group lasso: groups up to the strength are masked, by their largest or mean magnitude", "[regularize]") {
  REQUIRE(lasso_mask("Rows", 3.9, "Max").equal(numbers({1, 1, 0, 0})));
  REQUIRE(lasso_mask("Rows", 3.5, "Mean_Abs").equal(numbers({0, 0, 0, 0})));
  REQUIRE(lasso_mask("Cols", 1.5, "Mean_Abs").equal(numbers({0, 1, 0, 1})));
  REQUIRE(lasso_mask("Rows+Cols", 1.5, "Mean_Abs").equal(numbers({0, 1, 0, 0})));
  REQUIRE_FALSE(made_regularizer("GroupLassoRegularizer", "reg_regims: {a: [1, Rows]}")->thresholds());
}

TEST_CASE("group lasso: wrong words, shapes and names are refused", "[regularize]") {
  const auto graph = residual();
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, Chanels]}"); },
                "recipe.yaml:1:", "unknown group 'Chanels' in 'reg_regims.conv1.weight[1]'",
                "did you mean 'Channels'?");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, Rows+Colls]}"); }, "unknown group 'Colls'",
                "did you mean 'Cols'?");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, qqqqqq]}"); }, "unknown group 'qqqqqq'",
                "known: ", "Channels");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, Rows]}"); },
                "'conv1.weight' has no rows: its shape is 4x2x3x3");
  require_error([&] { lasso(graph, "reg_regims: {fc.weight: [1, 2D]}"); },
                "'fc.weight' has no kernels: its shape is 3x4");
  require_error([&] { lasso(graph, "reg_regims: {norm1.scale: [1, Filters]}"); },
                "'norm1.scale' has no filters: its shape is 4");
  require_error([&] { lasso(graph, "reg_regims: {conv9.weight: [1, 2D]}"); }, "'g' has no parameter 'conv9.weight'",
                "did you mean 'conv");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: 0.1}"); },
                "'reg_regims.conv1.weight' must be a list [strength, group]", "for instance [0.0001, Filters]");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [-1, 2D]}"); }, "'reg_regims.conv1.weight[0]'",
                "at least 0");
  require_error([&] { lasso(graph, "reg_regims: 3"); }, "'reg_regims' must be a map {PARAMETER: [strength, group]}");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, block]}"); }, "missing 'shape' in block");
  require_error([&] { lasso(graph, "reg_regims: {conv1.weight: [1, {class: n_of_m, n: 2, m: 4}]}"); },
                "single weights are no group to penalise together");
  require_error([&] { lasso(graph, "{reg_regims: {conv1.weight: [1, 2D]}, threshold_criteria: Mean}"); },
                "'threshold_criteria' must be one of None, Max or Mean_Abs", "text 'Mean'");
}

TEST_CASE("group lasso: weights whose shape has changed meanwhile are refused, not cut wrongly", "[regularize]") {
  auto graph = one_matrix();
  const auto regularizer =
      bound_regularizer(graph, "GroupLassoRegularizer", "reg_regims: {fc.weight: [1, {class: block, shape: [2, 2]}]}");
  graph.assign("fc.weight", at::arange(6, at::kDouble).view({3, 2}));
  require_error([&] { regularizer->loss(graph); }, "'fc.weight' cannot be cut into blocks of 'shape' [2, 2]");
}
