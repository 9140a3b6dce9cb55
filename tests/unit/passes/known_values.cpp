#include "passes/known_values.h"

#include "graph/text_form.h"
#include "ops/op.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

using namespace compress;
using passes::KnownValues;

namespace {

int64_t unknown_count(const at::Tensor& value) {
  return value.isnan().sum().item<int64_t>();
}

}  // namespace

TEST_CASE("known values: every operator of one input hands the unknown on") {
  int tried = 0;
  for (const ops::Op* op : ops::all_ops()) {
    if (op->min_inputs != 1 || op->gradient == ops::Gradient::none || op->name == "Gather" || op->name == "Cast")
      continue;
    if (op->name == "Trilu") continue;  // its zeros are known
    INFO(op->name);
    Graph graph("one");
    graph.inputs.push_back({"x", {kBatch, 3, 4, 4}});
    Node node{.name = "y", .op = std::string(op->name), .inputs = {"x"}};
    for (const auto& attribute : op->attributes) {
      if (attribute.name == "pads" && op->name == "Pad") node.attributes.set("pads", std::vector<int64_t>(8, 0));
      if (attribute.name == "shape") node.attributes.set("shape", std::vector<int64_t>{0, -1});
      if (attribute.name == "starts") node.attributes.set("starts", std::vector<int64_t>{0});
      if (attribute.name == "ends") node.attributes.set("ends", std::vector<int64_t>{3});
      if (attribute.name == "kernel_shape") node.attributes.set("kernel_shape", std::vector<int64_t>{2, 2});
      if (attribute.name == "axis" && attribute.required) node.attributes.set("axis", int64_t{1});
    }
    graph.add(node);
    at::Tensor value;
    try {
      value = KnownValues(graph).at("y");
    } catch (const Error&) {
      continue;  // needs more than this graph has
    }
    ++tried;
    REQUIRE(unknown_count(value) == value.numel());
  }
  REQUIRE(tried >= 15);
}

TEST_CASE("known values: a zero weight makes the unknown known, bias and batch-norm work on") {
  Graph graph = parse_graph(R"(graph g(x: float[N,1,4,4]) -> (r)
parameter w: float[2,1,3,3]
parameter b: float[2]
parameter gamma: float[2]
parameter beta: float[2]
parameter mean: float[2] fixed
parameter var: float[2] fixed
c = Conv(x, %w, %b) kernel_shape=[3,3] pads=[1,1,1,1]
bn = BatchNormalization(c, %gamma, %beta, %mean, %var) epsilon=0.0
r = Relu(bn)
)");
  graph.writable("w").select(0, 1).fill_(1);
  for (const char* name : {"b", "gamma", "beta", "var"}) graph.writable(name).fill_(2);
  const KnownValues known(graph);
  REQUIRE(known.at("c").select(1, 0).eq(2).all().item<bool>());
  REQUIRE(known.at("r").select(1, 0).sub(2 * 2 / std::sqrt(2.0) + 2).abs().max().item<float>() < 1e-5F);
  REQUIRE(unknown_count(known.at("r")) == 16);
}

TEST_CASE("known values: gamma = 0 leaves beta, a product with 0 leaves 0") {
  Graph graph = parse_graph(R"(graph g(x: float[N,2,2,2]) -> (p)
parameter one: float[2]
parameter zero: float[2]
parameter gate: float[1,2,1,1]
bn = BatchNormalization(x, %zero, %one, %one, %one)
p = Mul(x, %gate)
)");
  graph.writable("one").fill_(1);
  graph.writable("gate").select(1, 1).fill_(3);
  const KnownValues known(graph);
  REQUIRE(known.at("bn").eq(1).all().item<bool>());
  REQUIRE(known.at("p").select(1, 0).eq(0).all().item<bool>());
  REQUIRE(unknown_count(known.at("p")) == 4);
}

TEST_CASE("known values: masked weights count as zero") {
  Graph graph =
      parse_graph("graph g(x: float[N,2]) -> (y)\nparameter w: float[3,2] masked\ny = Gemm(x, %w) transB=1\n");
  graph.writable("w").fill_(1);
  graph.parameter("w").mask.select(0, 2).zero_();
  const at::Tensor y = KnownValues(graph).at("y");
  REQUIRE(unknown_count(y) == 2);
  REQUIRE(y.select(1, 2).item<float>() == 0);
}

TEST_CASE("known values: what is compared with the unknown, or ranked among it, is unknown") {
  Graph graph("ranked");
  graph.inputs.push_back({"x", {kBatch, 2}});
  graph.add_parameter({.name = "one", .value = at::ones({1, 2})});
  graph.add({.name = "less", .op = "Less", .inputs = {"one", "x"}});
  graph.add({.name = "chosen", .op = "Where", .inputs = {"less", "one", "one"}});
  Node joined{.name = "joined", .op = "Concat", .inputs = {"one", "x"}};
  joined.attributes.set("axis", int64_t{1});
  graph.add(joined);
  Node best{.name = "best", .op = "TopK", .inputs = {"joined"}, .outputs = 2};
  best.attributes.set("k", int64_t{3});
  graph.add(best);
  graph.add({.name = "first", .op = "Hardmax", .inputs = {"joined"}});
  const KnownValues known(graph);
  REQUIRE_FALSE(known.at("less").defined());
  REQUIRE(unknown_count(known.at("chosen")) == 2);
  REQUIRE(unknown_count(known.at("joined")) == 2);
  REQUIRE(unknown_count(known.at("best")) == 3);
  REQUIRE_FALSE(known.at("best:1").defined());
  REQUIRE(unknown_count(known.at("first")) == 4);
}
