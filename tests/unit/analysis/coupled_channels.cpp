#include "analysis/coupled_channels.h"

#include "graph/text_form.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

using namespace compress;
using analysis::ChannelGroup;
using analysis::CoupledChannels;

namespace {

/// "channels: members [blocked]" of each group.
std::vector<std::string> groups_of(const Graph& graph) {
  std::vector<std::string> lines;
  const CoupledChannels channels(graph);
  for (const auto& group : channels.groups()) {
    std::string line = std::to_string(group.channels.size()) + ":";
    for (const auto& member : group.members) line += " " + member.parameter + "/" + std::to_string(member.axis);
    if (!group.blocked.empty()) line += " [" + group.blocked + "]";
    lines.push_back(line);
  }
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("coupled channels: a residual addition couples both its sides, inner layers stay free") {
  const auto lines = groups_of(parse_graph(R"(graph residual(x: float[N,3,8,8]) -> (fc)
parameter c0.weight: float[4,3,3,3]
parameter c1.weight: float[6,4,3,3]
parameter bn.weight: float[6]
parameter bn.bias: float[6]
parameter bn.mean: float[6] fixed
parameter bn.var: float[6] fixed
parameter c2.weight: float[4,6,3,3]
parameter fc.weight: float[5,4]
c0 = Conv(x, %c0.weight) kernel_shape=[3,3] pads=[1,1,1,1]
c1 = Conv(c0, %c1.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn = BatchNormalization(c1, %bn.weight, %bn.bias, %bn.mean, %bn.var)
c2 = Conv(bn, %c2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
sum = Add(c0, c2)
pool = GlobalAveragePool(sum)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight) transB=1
)"));
  REQUIRE(lines == Lines{"4: c0.weight/0 c1.weight/1 c2.weight/0 fc.weight/1",
                         "3: c0.weight/1 [input 'x' of the network]",
                         "6: c1.weight/0 bn.weight/0 bn.bias/0 bn.mean/0 bn.var/0 c2.weight/1",
                         "5: fc.weight/0 [output 'fc' of the network]"});
}

TEST_CASE("coupled channels: concat keeps the channels of its parts apart") {
  const Graph graph = parse_graph(R"(graph concat(x: float[N,3,8,8]) -> (c)
parameter a.weight: float[2,3,1,1]
parameter b.weight: float[3,3,1,1]
parameter c.weight: float[4,5,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(x, %b.weight) kernel_shape=[1,1]
ab = Concat(a, b) axis=1
c = Conv(ab, %c.weight) kernel_shape=[1,1]
)");
  REQUIRE(groups_of(graph) == Lines{"2: a.weight/0 c.weight/1", "3: a.weight/1 b.weight/1 [input 'x' of the network]",
                                    "3: b.weight/0 c.weight/1", "4: c.weight/0 [output 'c' of the network]"});
  const CoupledChannels channels(graph);
  REQUIRE(channels.groups()[2].channels[1].indices == std::vector<std::vector<int64_t>>{{1}, {3}});
  const auto places = channels.places("c.weight", 1);
  REQUIRE(places[3].group == 2);
  REQUIRE(places[3].channel == 1);
}

TEST_CASE("coupled channels: a slice-and-pad shortcut couples only the channels that it carries") {
  REQUIRE(groups_of(parse_graph(R"(graph shortcut(x: float[N,3,8,8]) -> (d)
parameter a.weight: float[2,3,1,1]
parameter b.weight: float[4,2,1,1]
parameter d.weight: float[1,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(a, %b.weight) kernel_shape=[1,1] strides=[2,2]
half = Slice(a) axes=[2,3] ends=[100,100] starts=[0,0] steps=[2,2]
wide = Pad(half) pads=[0,1,0,0,0,1,0,0]
c = Add(b, wide)
d = Conv(c, %d.weight) kernel_shape=[1,1]
)")) == Lines{"2: a.weight/0 b.weight/0 b.weight/1 d.weight/1", "3: a.weight/1 [input 'x' of the network]",
              "2: b.weight/0 d.weight/1", "1: d.weight/0 [output 'd' of the network]"});
}

TEST_CASE("coupled channels: a depthwise convolution hands its input's channels on") {
  REQUIRE(groups_of(parse_graph(R"(graph depthwise(x: float[N,3,8,8]) -> (c)
parameter a.weight: float[4,3,1,1]
parameter b.weight: float[4,1,3,3]
parameter b.bias: float[4]
parameter c.weight: float[2,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b = Conv(a, %b.weight, %b.bias) group=4 kernel_shape=[3,3]
c = Conv(b, %c.weight) kernel_shape=[1,1]
)")) == Lines{"4: a.weight/0 b.weight/0 b.bias/0 c.weight/1", "3: a.weight/1 [input 'x' of the network]",
              "2: c.weight/0 [output 'c' of the network]"});
}

TEST_CASE("coupled channels: after flatten a channel is a run of the linear layer's inputs") {
  const CoupledChannels channels(parse_graph(R"(graph flatten(x: float[N,1,3,3]) -> (fc)
parameter a.weight: float[2,1,2,2]
parameter fc.weight: float[3,8]
a = Conv(x, %a.weight) kernel_shape=[2,2]
flat = Flatten(a)
fc = Gemm(flat, %fc.weight) transB=1
)"));
  const ChannelGroup& group = channels.groups()[0];
  REQUIRE(group.member("fc.weight", 1) == 1);
  REQUIRE(group.member("fc.weight", 0) == -1);
  REQUIRE(group.channels[1].indices == std::vector<std::vector<int64_t>>{{1}, {4, 5, 6, 7}});
}

TEST_CASE("coupled channels: a tied weight couples all the places where it is read") {
  REQUIRE(groups_of(parse_graph(R"(graph tied(x: float[N,3,8,8]) -> (c)
parameter a.weight: float[4,3,1,1]
parameter b.weight: float[4,4,1,1]
parameter c.weight: float[1,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
b1 = Conv(a, %b.weight) kernel_shape=[1,1]
b2 = Conv(b1, %b.weight) kernel_shape=[1,1]
c = Conv(b2, %c.weight) kernel_shape=[1,1]
)"))
              .front() == "4: a.weight/0 b.weight/0 b.weight/1 c.weight/1");
}

TEST_CASE("coupled channels: an image whose channels stand last is followed through the transposition in front") {
  REQUIRE(groups_of(parse_graph(R"(graph nhwc(x: float[N,8,8,3]) -> (c)
parameter a.weight: float[4,3,1,1]
parameter c.weight: float[2,4,1,1]
t = Transpose(x) perm=[0,3,1,2]
a = Conv(t, %a.weight) kernel_shape=[1,1]
b = Transpose(a) perm=[0,2,3,1]
r = Relu(b)
d = Transpose(r) perm=[0,3,1,2]
c = Conv(d, %c.weight) kernel_shape=[1,1]
)")) == Lines{"4: a.weight/0 c.weight/1", "3: a.weight/1 [input 'x' of the network]",
              "2: c.weight/0 [output 'c' of the network]"});
}

TEST_CASE("coupled channels: two inputs that are added are one group, blocked by the first") {
  REQUIRE(groups_of(parse_graph(R"(graph two(x: float[N,3], y: float[N,3]) -> (a)
parameter a.weight: float[4,3]
sum = Add(x, y)
a = Gemm(sum, %a.weight) transB=1
)")) == Lines{"4: a.weight/0 [output 'a' of the network]", "3: a.weight/1 [input 'x' of the network]"});
}

TEST_CASE("coupled channels: a gate of one factor per channel is coupled with what it multiplies") {
  REQUIRE(groups_of(parse_graph(R"(graph gate(x: float[N,3,8,8]) -> (c)
parameter a.weight: float[4,3,1,1]
parameter g.weight: float[4,4,1,1]
parameter c.weight: float[2,4,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
p = GlobalAveragePool(a)
g = Conv(p, %g.weight) kernel_shape=[1,1]
s = Sigmoid(g)
m = Mul(a, s)
c = Conv(m, %c.weight) kernel_shape=[1,1]
)"))
              .front() == "4: a.weight/0 g.weight/0 g.weight/1 c.weight/1");
}

TEST_CASE("coupled channels: every second channel couples pairs") {
  const CoupledChannels channels(parse_graph(R"(graph step(x: float[N,3,8,8]) -> (c)
parameter a.weight: float[4,3,1,1]
parameter c.weight: float[2,2,1,1]
a = Conv(x, %a.weight) kernel_shape=[1,1]
s = Slice(a) axes=[1] ends=[100] starts=[1] steps=[2]
c = Conv(s, %c.weight) kernel_shape=[1,1]
)"));
  const auto& group = channels.groups()[0];
  REQUIRE(group.blocked.empty());
  REQUIRE(group.channels.size() == 2);
  REQUIRE(group.channels[1].indices == std::vector<std::vector<int64_t>>{{2, 3}, {1}});
}

TEST_CASE("coupled channels: an operator that cannot be followed blocks the group and is named") {
  const auto lines = groups_of(parse_graph(R"(graph soft(x: float[N,3]) -> (b)
parameter a.weight: float[4,3]
parameter b.weight: float[2,4]
a = Gemm(x, %a.weight) transB=1
s = Softmax(a) axis=1
b = Gemm(s, %b.weight) transB=1
)"));
  REQUIRE_THAT(lines.front(), Catch::StartsWith("4: a.weight/0") && Catch::Contains("node 's' (Softmax)"));
}

TEST_CASE("coupled channels: only values and parameters of the graph have a map") {
  const CoupledChannels channels(parse_graph(
      "graph g(x: float[N,3]) -> (a)\nparameter w: float[4,3]\nparameter b: float[4]\na = Gemm(x, %w, %b) transB=1\n"));
  REQUIRE(channels.map("b").front().size() == 4);
  test::require_error([&] { (void)channels.map("y"); }, "the graph has no value or parameter 'y'");
}
