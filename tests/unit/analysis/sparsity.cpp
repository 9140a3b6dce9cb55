#include "analysis/sparsity.h"

#include "graph/text_form.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <catch2/catch.hpp>

using namespace compress;
using analysis::sparsity;

TEST_CASE("sparsity: Distiller's test cases") {
  // "sparsity_density" of its tests; density is 100 - sparsity.
  REQUIRE(sparsity("zeros", at::zeros({2, 3, 5, 6})).elements == 100);
  REQUIRE(sparsity("zeros", at::zeros({2, 3, 5, 6})).filters == 100);
  REQUIRE(sparsity("ones", at::ones({12, 43, 4, 6})).elements == 0);
  REQUIRE(sparsity("x", at::tensor({1., 2., 0., 4., 0., 1., 2., 0., 4., 0.}).view({2, 5})).elements == Approx(40));
  const auto two_by_five = sparsity("x", at::tensor({1., 2., 0., 4., 0., 1., 2., 0., 4., 0.}).view({2, 5}));
  REQUIRE(100 - two_by_five.rows == Approx(60));  // "column density", transposed = false
  REQUIRE(two_by_five.columns == 0);              // "row sparsity", transposed = false
  REQUIRE(100 - sparsity("zeros", at::zeros({2, 3, 5, 6})).filters == 0);
  const auto row = sparsity("y", at::tensor({0., 0., 0., 1., 4., 0., 1., 2., 0., 0., 0., 0.}).view({4, 3}));
  REQUIRE(row.elements == Approx(100 * 8.0 / 12));
  REQUIRE(row.rows == Approx(100.0 / 3));  // of the transposed matrix, Distiller's default
  REQUIRE(row.columns == Approx(50));
}

TEST_CASE("sparsity: structures of a convolution") {
  at::Tensor weight = at::ones({4, 2, 3, 3});
  weight.select(0, 1).zero_();
  weight.select(0, 2).select(0, 0).zero_();
  const auto row = sparsity("conv", weight);
  REQUIRE(row.filters == 25);
  REQUIRE(row.kernels == Approx(37.5));
  REQUIRE(row.channels == 0);
  REQUIRE(row.rows == 0);
  REQUIRE(row.dense == 72);
  REQUIRE(row.nonzero == 45);
  REQUIRE(row.mean == Approx(0.625));
}

TEST_CASE("sparsity: weights with 2 or 4 axes have a row, biases and statistics have none") {
  const Graph graph = parse_graph(R"(graph g(x: float[N,2]) -> (a)
parameter w: float[3,2]
parameter b: float[3]
parameter table: float[3,2] fixed
a = Gemm(x, %w, %b) transB=1
)");
  const auto rows = sparsity(graph);
  REQUIRE(rows.size() == 1);
  REQUIRE(rows[0].name == "w");
  REQUIRE(analysis::total_sparsity(rows) == 100);
  REQUIRE(analysis::total_sparsity({}) == 0);
}
