#include "ops/channels.h"
#include "ops/op.h"
#include "support/check_error.h"
#include "support/close.h"
#include "support/run_op.h"
#include "support/tensors.h"

#include <catch2/catch.hpp>

#include <limits>
#include <map>

using namespace compress;
using namespace compress::test;

namespace {

std::vector<at::Tensor> indexed(const std::string& text, const std::vector<at::Tensor>& inputs) {
  return run_op(node_of(text), inputs);
}

void infer_shapes(const std::string& text, const std::vector<at::Tensor>& inputs) {
  const auto node = node_of(text);
  const auto infos = infos_of(inputs);
  ops::op_of(node).infer({.node = node, .inputs = infos});
}

}  // namespace

TEST_CASE("TopK: of equal values the one with the lower index comes first", "[ops]") {
  const auto x = numbers({1, 3, 2, 3, 1, 3});
  const auto largest = indexed("y, y:1 = TopK(x) k=4", {x});
  require_close(largest[0], numbers({3, 3, 3, 2}), 0);
  require_close(largest[1], integers({1, 3, 5, 2}), 0);
  const auto smallest = indexed("y, y:1 = TopK(x) k=3 largest=0", {x});
  require_close(smallest[0], numbers({1, 1, 2}), 0);
  require_close(smallest[1], integers({0, 4, 2}), 0);
  require_error([&] { infer_shapes("y, y:1 = TopK(x) k=7", {x}); }, "k is 7, but axis 0 has 6 elements");
}

TEST_CASE("ArgMax and ArgMin: the first of equal ones, or the last", "[ops]") {
  const auto x = numbers({2, 5, 5, 2});
  REQUIRE(indexed("y = ArgMax(x) keepdims=0", {x})[0].item<int64_t>() == 1);
  REQUIRE(indexed("y = ArgMax(x) select_last_index=1 keepdims=0", {x})[0].item<int64_t>() == 2);
  REQUIRE(indexed("y = ArgMin(x) keepdims=0", {x})[0].item<int64_t>() == 0);
  REQUIRE(indexed("y = ArgMin(x) select_last_index=1 keepdims=0", {x})[0].item<int64_t>() == 3);
  require_error([&] { infer_shapes("y = ArgMax(x)", {wild({0})}); }, "axis 0 has no elements to search");
}

TEST_CASE("OneHot: negative indices count from the end, others outside are off everywhere", "[ops]") {
  const auto values = numbers({-1, 5});
  const auto hot = indexed("y = OneHot(i, _, v) depth=3", {integers({0, -1, 3, -4}), at::Tensor(), values})[0];
  require_close(hot, numbers({5, -1, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1}).reshape({4, 3}), 0);
  const auto first = indexed("y = OneHot(i, _, v) depth=2 axis=0", {integers({1, 0}), at::Tensor(), values})[0];
  require_close(first, numbers({-1, 5, 5, -1}).reshape({2, 2}), 0);
  require_error([&] { infer_shapes("y = OneHot(i) depth=2", {integers({1})}); }, "the values for off and on");
  require_error(
      [&] {
        infer_shapes("y = OneHot(i, _, v) depth=2", {integers({1}), at::Tensor(), numbers({1})});
      },
      "must be two: off and on");
}

TEST_CASE("CumSum: with, without, and from behind each element", "[ops]") {
  const auto x = integers({1, 2, 3, 4});
  require_close(indexed("y = CumSum(x) axis=0", {x})[0], integers({1, 3, 6, 10}), 0);
  require_close(indexed("y = CumSum(x) axis=0 exclusive=1", {x})[0], integers({0, 1, 3, 6}), 0);
  require_close(indexed("y = CumSum(x) axis=0 reverse=1", {x})[0], integers({10, 9, 7, 4}), 0);
  require_close(indexed("y = CumSum(x) axis=-1 reverse=1 exclusive=1", {x})[0], integers({9, 7, 4, 0}), 0);
}

TEST_CASE("reductions: of nothing, of nothing but themselves, of integers and truth values", "[ops]") {
  const auto empty = wild({2, 0});
  const auto of_empty = [&](const std::string& name) {
    return indexed("y = Reduce" + name + "(x) axes=[1]", {empty})[0][0].item<double>();
  };
  REQUIRE(of_empty("Sum") == 0);
  REQUIRE(of_empty("Prod") == 1);
  REQUIRE(of_empty("Max") == -std::numeric_limits<double>::infinity());
  REQUIRE(of_empty("Min") == std::numeric_limits<double>::infinity());
  REQUIRE(of_empty("LogSumExp") == -std::numeric_limits<double>::infinity());
  REQUIRE(indexed("y = ReduceMax(x)", {empty.to(at::kShort)})[0].item<int64_t>() == -32768);
  REQUIRE(indexed("y = ReduceMin(x)", {empty.to(at::kByte)})[0].item<int64_t>() == 255);
  REQUIRE(indexed("y = ReduceMin(x)", {empty.to(at::kUInt16)})[0].to(at::kLong).item<int64_t>() == 65535);
  const auto x = numbers({-2, 3});
  require_close(indexed("y = ReduceSumSquare(x) noop_with_empty_axes=1", {x})[0], numbers({4, 9}), 0);
  require_close(indexed("y = ReduceL1(x) axes=[] noop_with_empty_axes=1", {x})[0], numbers({2, 3}), 0);
  REQUIRE(indexed("y = ReduceMean(x) keepdims=0", {integers({1, 2, 4})})[0].item<int64_t>() == 2);
  REQUIRE(indexed("y = ReduceMax(x) keepdims=0", {integers({0, 1}).to(at::kBool)})[0].item<bool>());
}

TEST_CASE("Gather and Scatter: an index outside is an error that says what is allowed", "[ops]") {
  const auto x = wild({2, 3});
  require_error(
      [&] {
        indexed("y = Gather(x, i) axis=1", {x, integers({3})});
      },
      "index 3 is outside an axis of size 3", "allowed are -3 to 2");
  require_error([&] { indexed("y = GatherND(x, i)", {x, integers({0, -4}).reshape({1, 2})}); }, "index -4");
  require_error(
      [&] {
        indexed("y = ScatterND(x, i, u)", {x, integers({0, 3}).reshape({1, 2}), numbers({1})});
      },
      "index 3 is outside");
  require_error([&] { infer_shapes("y = Gather(x, i)", {x, numbers({1})}); }, "indices must be integers");
  require_error(
      [&] {
        infer_shapes("y = GatherND(x, i)", {x, integers({0, 0, 0})});
      },
      "indices of shape 3", "data of shape 2x3");
  require_error([&] { infer_shapes("y = GatherElements(x, i)", {x, integers({0})}); }, "do not fit data of shape 2x3");
  require_error([&] { infer_shapes("y = ScatterElements(x, i, u)", {x, integers({0}), numbers({1})}); }, "do not fit");
  require_error([&] { infer_shapes("y = ScatterND(x, i, u)", {x, integers({0}), numbers({1})}); }, "do not fit");
}

TEST_CASE("ScatterElements and ScatterND: what meets at one place is combined", "[ops]") {
  const auto x = numbers({1, 2, 3}), twice = integers({1, 1}), u = numbers({10, 4});
  const auto place = [&](const std::string& op, const at::Tensor& indices, const std::string& how) {
    return indexed("y = " + op + "(x, i, u) reduction=\"" + how + "\"", {x, indices, u})[0][1].item<double>();
  };
  for (const auto& [how, result] : std::map<std::string, double>{{"add", 16}, {"mul", 80}, {"max", 10}, {"min", 2}}) {
    REQUIRE(place("ScatterElements", twice, how) == result);
    REQUIRE(place("ScatterND", twice.reshape({2, 1}), how) == result);
  }
}

TEST_CASE("NonMaxSuppression: drops what a better box covers", "[ops]") {
  const auto boxes = numbers({0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 10, 1, 11, 1, 0.9, 0, -0.1}).reshape({1, 4, 4});
  const auto scores = numbers({0.9, 0.75, 0.95, 0.5}).reshape({1, 1, 4});
  const auto suppressed = [&](const std::string& more) {
    return indexed("y = NonMaxSuppression(b, s) " + more, {boxes, scores})[0].select(1, 2);
  };
  require_close(suppressed("max_output_boxes_per_class=3 iou_threshold=0.5"), integers({2, 0}), 0);
  require_close(suppressed("max_output_boxes_per_class=1 iou_threshold=0.5"), integers({2}), 0);
  require_close(suppressed("max_output_boxes_per_class=4 iou_threshold=0.999"), integers({2, 0, 1, 3}), 0);
  require_close(suppressed("max_output_boxes_per_class=4 iou_threshold=0.5 score_threshold=0.9"), integers({2}), 0);
  REQUIRE(suppressed("").numel() == 0);
  const auto centred = numbers({0.5, 0.5, 1, 1, 0.5, 0.6, 1, 1}).reshape({1, 2, 4});
  const auto kept = indexed("y = NonMaxSuppression(b, s) max_output_boxes_per_class=2 center_point_box=1",
                            {centred, numbers({0.1, 0.2}).reshape({1, 1, 2})})[0];
  require_close(kept, integers({0, 0, 1}).reshape({1, 3}), 0);
  require_error([&] { infer_shapes("y = NonMaxSuppression(b, s)", {boxes, numbers({1})}); }, "[batch, boxes, 4]");
}

TEST_CASE("EyeLike, Tile, Range and Size say what they cannot do", "[ops]") {
  require_error([] { infer_shapes("y = EyeLike(x)", {wild({2})}); }, "a matrix is needed");
  require_error([] { infer_shapes("y = Tile(x) repeats=[2]", {wild({2, 2})}); }, "has 1 entries", "2 axes");
  require_error([] { infer_shapes("y = Tile(x) repeats=[-2]", {wild({2})}); }, "must not be negative");
  require_error([] { infer_shapes("y = Range(a, b, c)", {wild({}), wild({}), wild({})}); }, "depends on data");
  const auto number = [](int64_t value) { return at::scalar_tensor(value, at::kLong); };
  REQUIRE(indexed("y = Range(a, b, c)", {number(3), number(1), number(1)})[0].numel() == 0);
  require_error([&] { indexed("y = Range(a, b, c)", {number(3), number(1), number(0)}); }, "steps of 0");
}

TEST_CASE("an embedding's columns are channels, its rows are not", "[ops]") {
  const auto node = node_of("y = Gather(%table, i)");
  ops::AtomPool pool;
  const std::vector<ops::ValueInfo> inputs{{{7, 3}}, {{2, 5}, at::kLong}}, outputs{{{2, 5, 3}}};
  ops::ChannelFlow flow(node, pool, inputs, outputs, {}, {true, false});
  ops::op_of(node).channels(flow);
  const auto& table = flow.input_maps()[0];
  REQUIRE(flow.output_maps()[0].back() == table[1]);
  REQUIRE(pool.blocked(table[1][0]).empty());
  REQUIRE(pool.blocked(table[0][0]).find("rows are picked by index") != std::string::npos);
}

TEST_CASE("Gather of evenly spaced constant indices becomes a Slice at import", "[ops]") {
  const auto x = wild({2, 5});
  for (const auto& list : std::vector<std::vector<int64_t>>{
           {2}, {1, 2, 3}, {-1}, {-3, -2, -1}, {0, 2, 4}, {3, 1}, {4, 3, 2, 1, 0}, {-1, -3, -5}}) {
    Graph graph;
    graph.inputs = {{"x", {kBatch, 5}, at::kDouble}};
    graph.add_parameter({.name = "i", .value = integers(list), .trainable = false});
    auto& node = graph.add({.name = "y", .op = "Gather", .inputs = {"x", "i"}});
    node.attributes.set("axis", int64_t{1});
    const auto expected = run_op(node, {x, integers(list)})[0];
    ops::op_of(node).normalize(graph, node);
    REQUIRE(node.op == "Slice");
    require_close(run_op(node, {x})[0], expected, 0);
  }
  for (const auto& list : std::vector<std::vector<int64_t>>{{1, 1}, {0, 1, 3}, {-1, 0, 1}, {}}) {
    Graph graph;
    graph.inputs = {{"x", {kBatch, 5}, at::kDouble}};
    graph.add_parameter({.name = "i", .value = integers(list), .trainable = false});
    auto& node = graph.add({.name = "y", .op = "Gather", .inputs = {"x", "i"}});
    ops::op_of(node).normalize(graph, node);
    REQUIRE(node.op == "Gather");
  }
}
