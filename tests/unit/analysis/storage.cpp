#include "analysis/storage.h"

#include "graph/text_form.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace compress;
using analysis::Packing;
using analysis::Storage;

namespace {

Graph linear(int64_t out, int64_t in) {
  return parse_graph(fmt::format("graph g(x: float[N,{1}]) -> (a)\nparameter w: float[{0},{1}]\nparameter fixed: "
                                 "float[{0}] fixed\na = Gemm(x, %w, %fixed) transB=1\n",
                                 out, in));
}

/// The first `nonzero` elements are 1, 2, 3, ...
Storage with_nonzero(int64_t nonzero) {
  Graph graph = linear(100, 100);
  graph.writable("w").view({-1}).narrow(0, 0, nonzero).copy_(at::arange(1, nonzero + 1));
  return analysis::storage(graph).at(0);
}

}  // namespace

TEST_CASE("storage: a sparse weight takes a bitmap or indices, whichever is smaller") {
  const auto none = with_nonzero(10000);
  REQUIRE(none.dense_bytes == 40000);
  REQUIRE(none.packing == Packing::dense);
  REQUIRE(none.packed_bytes == 40000);
  const auto tenth = with_nonzero(1000);
  REQUIRE(tenth.packing == Packing::bitmap);
  REQUIRE(tenth.packed_bytes == 10000 / 8 + 1000 * 4);
  REQUIRE(tenth.nonzero == 1000);
  const auto hundredth = with_nonzero(100);
  REQUIRE(hundredth.packing == Packing::index);
  REQUIRE(hundredth.packed_bytes == 100 * (4 + 2));
  REQUIRE(with_nonzero(0).packed_bytes == 0);
  REQUIRE(analysis::name_of(Packing::index) == "index");
}

TEST_CASE("storage: positions of large tensors take 32 bits") {
  Graph graph = linear(1000, 100);
  graph.writable("w").select(0, 0).fill_(1);
  const auto row = analysis::storage(graph).at(0);
  REQUIRE(row.packing == Packing::index);
  REQUIRE(row.packed_bytes == 100 * (4 + 4));
}

TEST_CASE("storage: entropy is that of the stored values") {
  REQUIRE(with_nonzero(0).entropy == 0);
  Graph graph = linear(100, 100);
  graph.writable("w").narrow(0, 0, 50).fill_(0.5);
  const auto row = analysis::storage(graph).at(0);
  REQUIRE(row.entropy == Approx(1));
  REQUIRE(row.entropy_bytes == 1250);
  REQUIRE(analysis::storage(graph).size() == 1);  // only what was learned
}

TEST_CASE("storage: a weight that will be quantised counts as its integers") {
  Graph graph = parse_graph(R"(graph g(x: float[N,100]) -> (a)
parameter w: float[100,100]
parameter s: float[100] fixed
parameter z: float[100] fixed
w.q = FakeQuantize(%w, %s, %z) bits=4 signed=1 axis=0
a = Gemm(x, w.q) transB=1
)");
  graph.writable("s").fill_(0.5);
  graph.writable("w").fill_(0.1).narrow(0, 0, 25).fill_(1.1);
  const auto row = analysis::storage(graph).at(0);
  REQUIRE(row.bits == 4);
  REQUIRE(row.nonzero == 2500);  // 0.1 is rounded to 0
  REQUIRE(row.dense_bytes == 5000);
  REQUIRE(row.packed_bytes == 1250 + 1250);
  REQUIRE(row.entropy == Approx(0.811278124459));
}

TEST_CASE("storage: zero of a quantised file is what stands for zero") {
  Graph graph = parse_graph(R"(graph qdq(x: float[N,100]) -> (a)
parameter w: int8[100,100] fixed
parameter w.scale: float[1] fixed
parameter w.zero: int8[1] fixed
w.q = DequantizeLinear(%w, %w.scale, %w.zero)
a = Gemm(x, w.q) transB=1
)");
  graph.writable("w.scale").fill_(0.5);
  graph.writable("w.zero").fill_(3);
  graph.writable("w").fill_(3).select(0, 0).fill_(5);
  const auto row = analysis::storage(graph).at(0);
  REQUIRE(row.nonzero == 100);
  REQUIRE(row.bits == 8);
  REQUIRE(row.packed_bytes == 100 * (1 + 2));
}

TEST_CASE("storage: a convolution that is folded with its batch-norm counts as its integers") {
  Graph graph = parse_graph(R"(graph g(x: float[N,4,8,8]) -> (a)
parameter a.weight: float[16,4,3,3]
parameter bn.weight: float[16]
parameter bn.bias: float[16]
parameter bn.mean: float[16] fixed
parameter bn.var: float[16] fixed
parameter s: float[16] fixed
parameter z: float[16] fixed
a = ConvBatchNormalization(x, %a.weight, _, %bn.weight, %bn.bias, %bn.mean, %bn.var, %s, %z) bits=8 kernel_shape=[3,3]
)");
  graph.writable("a.weight").select(1, 0).fill_(1);
  const auto row = analysis::storage(graph).at(0);
  REQUIRE(row.bits == 8);
  REQUIRE(row.nonzero == 16 * 9);
  REQUIRE(row.dense_bytes == 16 * 36);
  REQUIRE(row.packed_bytes == 16 * 36 / 8 + 16 * 9);
}
