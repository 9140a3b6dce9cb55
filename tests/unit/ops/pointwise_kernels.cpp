#include "ops/op.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <limits>

using namespace compress;
using namespace compress::test;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNoNumber = std::numeric_limits<double>::quiet_NaN();

at::Tensor point(const std::string& text, const std::vector<at::Tensor>& inputs) {
  return run_op(node_of(text), inputs)[0];
}

}  // namespace

TEST_CASE("Mod: the rest has the divisor's sign, with fmod the dividend's", "[ops]") {
  const auto a = integers({-4, 7, 5, 4, -7, 8}), b = integers({2, -3, 8, -2, 3, 5});
  require_close(point("y = Mod(a, b)", {a, b}), integers({0, -2, 5, 0, 2, 3}), 0);
  require_close(point("y = Mod(a, b) fmod=1", {a, b}), integers({0, 1, 5, 0, -1, 3}), 0);
  const auto real = point("y = Mod(a, b) fmod=1", {numbers({-4.3, 7.2}), numbers({2.1, -3.4})});
  require_close(real, numbers({-0.1, 0.4}), 1e-12);
}

TEST_CASE("Div and Mod: the smallest integer over -1 wraps, zero as divisor is an error", "[ops]") {
  for (const auto type : {at::kChar, at::kInt, at::kLong}) {
    const auto least = integers({std::numeric_limits<int64_t>::min(), -128, 12})
                           .clamp(type == at::kInt    ? std::numeric_limits<int32_t>::min()
                                  : type == at::kChar ? -128
                                                      : std::numeric_limits<int64_t>::min())
                           .to(type);
    const auto minus = integers({-1, 2, -1}).to(type);
    const auto quotient = point("y = Div(a, b)", {least, minus});
    REQUIRE(quotient[0].equal(least[0]));
    REQUIRE(quotient[1].item<int64_t>() == -64);
    REQUIRE(quotient[2].item<int64_t>() == -12);
    require_close(point("y = Mod(a, b)", {least, minus}), integers({0, 0, 0}), 0);
  }
  require_error([] { point("y = Div(a, b)", {integers({1}), integers({0})}); }, "divided by zero");
  require_error([] { point("y = Mod(a, b)", {integers({1}), integers({0})}); }, "divided by zero");
  REQUIRE(point("y = Div(a, b)", {numbers({1}), numbers({0})}).item<double>() == kInfinity);
}

TEST_CASE("unsigned integers of 16, 32 and 64 bits are computed with, though LibTorch only stores them", "[ops]") {
  for (const auto type : {at::kUInt16, at::kUInt32, at::kUInt64}) {
    const auto a = integers({7, 40000}).to(type), b = integers({9, 3}).to(type);
    const auto most = point("y = Max(a, b)", {a, b});
    REQUIRE(most.scalar_type() == type);
    REQUIRE(most.to(at::kLong).equal(integers({9, 40000})));
    REQUIRE(point("y = Div(a, b)", {a, b}).to(at::kLong).equal(integers({0, 13333})));
    REQUIRE(point("y = Less(a, b)", {a, b}).equal(integers({1, 0}).to(at::kBool)));
  }
  const auto wrapped = point("y = Sub(a, b)", {integers({1}).to(at::kUInt16), integers({2}).to(at::kUInt16)});
  REQUIRE(wrapped.to(at::kLong).item<int64_t>() == 65535);
}

TEST_CASE("Pow: the result has the base's type", "[ops]") {
  const auto power = point("y = Pow(a, b)", {integers({2, 3}), numbers({0.5, 2})});
  REQUIRE(power.scalar_type() == at::kLong);
  require_close(power, integers({1, 9}), 0);
}

TEST_CASE("Round: halves go to the even neighbour", "[ops]") {
  require_close(point("y = Round(x)", {numbers({0.5, 1.5, 2.5, -0.5, -1.5, 1.2})}), numbers({0, 2, 2, -0.0, -2, 1}), 0);
}

TEST_CASE("Cast: towards zero, limited to what the type holds; no number is 0", "[ops]") {
  const auto x = numbers({1.9, -1.9, 300, -300, kNoNumber, kInfinity, -kInfinity, 1e30});
  require_close(point("y = Cast(x) to=2", {x}), integers({1, 0, 255, 0, 0, 255, 0, 255}), 0);
  require_close(point("y = Cast(x) to=3", {x}), integers({1, -1, 127, -128, 0, 127, -128, 127}), 0);
  constexpr auto kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  REQUIRE(point("y = Cast(x) to=7", {x.to(at::kFloat)}).equal(integers({1, -1, 300, -300, 0, kHigh, kLow, kHigh})));
  REQUIRE(point("y = Cast(x) to=6", {x})[5].item<int64_t>() == std::numeric_limits<int32_t>::max());
  REQUIRE(point("y = Cast(x) to=9", {numbers({0, -0.0, 0.1, kNoNumber})}).equal(integers({0, 0, 1, 1}).to(at::kBool)));
  REQUIRE(point("y = Cast(x) to=10", {numbers({1e6})}).item<double>() == kInfinity);
  REQUIRE(point("y = Cast(x) to=3", {integers({300})}).item<int64_t>() == 44);  // integers keep their low bits
  require_error([&] { point("y = Cast(x) to=8", {x}); }, "ONNX element type 8 is not supported", "12 (uint32)");
}

TEST_CASE("what is not a number stays unknown through signs and thresholds", "[ops]") {
  const auto x = numbers({kNoNumber, 2});
  for (const std::string op : {"Sign", "ThresholdedRelu", "Shrink", "Relu", "Max", "Min"})
    REQUIRE(point("y = " + op + "(x)", {x})[0].isnan().item<bool>());
  REQUIRE(point("y = IsNaN(x)", {x}).equal(integers({1, 0}).to(at::kBool)));
}

TEST_CASE("IsInf: either side can be left out", "[ops]") {
  const auto x = numbers({-kInfinity, kInfinity, 1, kNoNumber});
  REQUIRE(point("y = IsInf(x)", {x}).equal(integers({1, 1, 0, 0}).to(at::kBool)));
  REQUIRE(point("y = IsInf(x) detect_negative=0", {x}).equal(integers({0, 1, 0, 0}).to(at::kBool)));
  REQUIRE(point("y = IsInf(x) detect_positive=0", {x}).equal(integers({1, 0, 0, 0}).to(at::kBool)));
}

TEST_CASE("Hardmax: the first of several maxima", "[ops]") {
  const auto x = numbers({1, 3, 3, 2}).reshape({1, 4});
  require_close(point("y = Hardmax(x)", {x}), numbers({0, 1, 0, 0}).reshape({1, 4}), 0);
}

TEST_CASE("CastLike becomes a Cast at import", "[ops]") {
  Graph graph;
  graph.inputs = {{"x", {kBatch, 2}, at::kFloat}, {"t", {1}, at::kHalf}};
  auto& node = graph.add({.name = "y", .op = "CastLike", .inputs = {"x", "t"}});
  graph.outputs = {{"y", "y"}};
  ops::op_of(node).normalize(graph, node);
  REQUIRE(node.op == "Cast");
  REQUIRE(node.inputs == std::vector<std::string>{"x"});
  REQUIRE(node.attributes.integer("to", 0) == 10);
}
