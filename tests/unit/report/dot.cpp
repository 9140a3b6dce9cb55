#include "report/dot.h"

#include "graph/text_form.h"
#include "ops/op.h"
#include "report/graphviz.h"

#include <catch2/catch.hpp>

using namespace compress;
using report::dot_string;
using report::html_text;
using report::human_count;

namespace {

std::string drawn(const Graph& graph, int depth = 2) {
  return report::dot_text(report::Drawing(graph), depth);
}

Graph two_blocks() {
  return parse_graph(R"(graph g(x: float[N,3,8,8]) -> (y = b.act)
parameter a.conv.weight: float[4,3,3,3]
parameter b.conv.weight: float[2,4,1,1]
a.conv = Conv(x, %a.conv.weight) kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]
a.act = Relu(a.conv)
b.conv = Conv(a.act, %b.conv.weight) kernel_shape=[1,1]
b.act = Relu(b.conv)
)");
}

}  // namespace

TEST_CASE("dot: counts for a person") {
  REQUIRE(human_count(0) == "0");
  REQUIRE(human_count(999) == "999");
  REQUIRE(human_count(1000) == "1.00 k");
  REQUIRE(human_count(40813184) == "40.8 M");
  REQUIRE(human_count(4089184256) == "4.09 G");
  REQUIRE(human_count(123456) == "123 k");
}

TEST_CASE("dot: names are quoted, whatever they hold") {
  REQUIRE(dot_string(R"(a"b\c)") == R"("a\"b\\c")");
  REQUIRE(dot_string("a\nb\x01") == R"("a\nb?")");
  REQUIRE(html_text("<a & \"b\">") == "&lt;a &amp; &quot;b&quot;&gt;");
  REQUIRE(html_text("gr\u00f6\u00dfe \xff\xc3") == "gr\u00f6\u00dfe ??");
}

TEST_CASE("dot: nodes tell name, operator, output, cost and weight; parameters are no nodes") {
  const auto dot = drawn(two_blocks());
  REQUIRE_THAT(dot, Catch::Contains("<B>a.conv</B>") && Catch::Contains("Conv 3x3, stride 2x2 \u2192 1x4x4x4") &&
                        Catch::Contains("1.73 k MACs, 93.1 %") && Catch::Contains("weight 4x3x3x3: 108, 432 B"));
  REQUIRE_THAT(dot, Catch::Contains("n0 -> n1 [tooltip=\"a.conv: 1x4x4x4\"") && !Catch::Contains("<B>a.conv.weight"));
  REQUIRE_THAT(dot, Catch::Contains("<B>x</B>") && Catch::Contains("<B>y</B>"));
}

TEST_CASE("dot: modules with several nodes have boxes down to a depth") {
  REQUIRE_THAT(drawn(two_blocks()), Catch::Contains("subgraph cluster_0 {\n  label=\"a\"") &&
                                        Catch::Contains("subgraph cluster_1 {\n  label=\"b\""));
  REQUIRE_THAT(drawn(two_blocks(), 0), !Catch::Contains("cluster"));
}

TEST_CASE("dot: an input that is an output, and an output called as a node") {
  const auto dot = drawn(parse_graph("graph g(x: float[N,4]) -> (a = x, x = a)\na = Relu(x)\n"));
  REQUIRE_THAT(dot, Catch::Contains("n1 -> n2") && Catch::Contains("n1 -> n0") && Catch::Contains("n0 -> n3"));
}

TEST_CASE("dot: operators have the colour of what they do") {
  const auto class_of = [](const char* name) { return std::string(report::class_of(*ops::find_op(name)).name); };
  REQUIRE(class_of("Conv") == "linear");
  REQUIRE(class_of("BatchNormalization") == "normalisation");
  REQUIRE(class_of("Relu") == "activation");
  REQUIRE(class_of("MaxPool") == "pooling");
  REQUIRE(class_of("Add") == "arithmetic");
  REQUIRE(class_of("Reshape") == "moves values");
  REQUIRE(class_of("FakeQuantize") == "quantiser");
}

TEST_CASE("dot: Graphviz draws names of any letters, as it finds them") {
  Graph graph("a \"b\" \\N <c> & d\u00e9");
  graph.inputs.push_back({"in <x>", {kBatch, 3}});
  graph.add({.name = R"(r\n "1" <b>&amp;\)", .op = "Relu", .inputs = {"in <x>"}});
  graph.outputs.push_back({"\u51fa\u529b", R"(r\n "1" <b>&amp;\)"});
  const auto svg = report::draw(drawn(graph), ".svg");
  REQUIRE_THAT(svg, Catch::Contains(R"(r\n &quot;1&quot; &lt;b&gt;&amp;amp;\)") && Catch::Contains("\u51fa\u529b") &&
                        Catch::Contains("in &lt;x&gt;"));
  REQUIRE_THAT(report::draw(drawn(graph), ".png"), Catch::StartsWith("\x89PNG"));
  REQUIRE_THAT(report::draw(drawn(graph), ".pdf"), Catch::StartsWith("%PDF"));
}
