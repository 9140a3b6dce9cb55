#include "ops/channels.h"

#include "support/check_error.h"
#include "support/run_op.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace compress;
using namespace compress::ops;
using namespace compress::test;

namespace {

/// One node between values and parameters of given shapes; axis 1 of values carries fresh channels.
struct Scene {
  Node node;
  AtomPool pool;
  std::vector<ValueInfo> inputs, outputs;
  std::vector<ChannelMap> maps;
  std::vector<bool> is_parameter;

  Scene(const std::string& text, const std::vector<Shape>& shapes)
      : node(node_of(text)), is_parameter(parameters_of(text)) {
    for (size_t i = 0; i < shapes.size(); ++i) {
      inputs.push_back({.shape = shapes[i], .type = node.op == "Gather" && i == 1 ? at::kLong : at::kFloat});
      maps.emplace_back(shapes[i].size());
      if (!is_parameter[i] && shapes[i].size() > 1) maps[i][1] = pool.fresh(shapes[i][1]);
    }
    outputs = op_of(node).infer({.node = node, .inputs = inputs});
  }

  ChannelFlow run() {
    ChannelFlow flow(node, pool, inputs, outputs, maps, is_parameter);
    op_of(node).channels(flow);
    return flow;
  }

  Atoms roots(const Atoms& atoms) const {
    Atoms result;
    for (const auto atom : atoms) result.push_back(pool.find(atom));
    return result;
  }
};

}  // namespace

TEST_CASE("channels: united atoms share the first reason that blocks one of them", "[ops]") {
  AtomPool pool;
  const auto atoms = pool.fresh(4);
  pool.block(atoms[2], "late");
  pool.unite(atoms[3], atoms[2]);
  pool.unite(atoms[1], atoms[3]);
  pool.block(atoms[1], "later");
  REQUIRE(pool.find(atoms[3]) == atoms[1]);
  REQUIRE(pool.blocked(atoms[3]) == "late");
  REQUIRE(pool.blocked(atoms[0]).empty());
}

TEST_CASE("channels: a convolution reads its input's channels and makes new ones", "[ops]") {
  Scene scene("y = Conv(x, %w, %b)", {{1, 3, 8, 8}, {4, 3, 3, 3}, {4}});
  const auto flow = scene.run();
  REQUIRE(flow.map(1)[1] == flow.map(0)[1]);
  REQUIRE(flow.output_maps()[0][1].size() == 4);
  REQUIRE(flow.map(1)[0] == flow.output_maps()[0][1]);
  REQUIRE(flow.map(2)[0] == flow.map(1)[0]);
}

TEST_CASE("channels: a depthwise output is its input's channel", "[ops]") {
  Scene scene("y = Conv(x, %w) group=2", {{1, 2, 8, 8}, {6, 1, 3, 3}});
  const auto flow = scene.run();
  const auto& in = flow.map(0)[1];
  REQUIRE(flow.output_maps()[0][1] == Atoms{in[0], in[0], in[0], in[1], in[1], in[1]});
}

TEST_CASE("channels: groups shrink together", "[ops]") {
  Scene scene("y = Conv(x, %w) group=2", {{1, 4, 8, 8}, {6, 2, 3, 3}});
  const auto flow = scene.run();
  const auto in = scene.roots(flow.map(0)[1]), out = scene.roots(flow.output_maps()[0][1]);
  REQUIRE(in == Atoms{in[0], in[1], in[0], in[1]});
  REQUIRE(out == Atoms{out[0], out[1], out[2], out[0], out[1], out[2]});
  REQUIRE(flow.map(1)[1] == Atoms{flow.map(0)[1][0], flow.map(0)[1][1]});
}

TEST_CASE("channels: where the input's are not known, the weight's are blocked", "[ops]") {
  Scene scene("y = Conv(x, %w)", {{1, 3, 8, 8}, {4, 3, 3, 3}});
  scene.maps[0][1].clear();
  const auto flow = scene.run();
  REQUIRE(scene.pool.blocked(flow.map(1)[1][0]) ==
          "node 'y' (Conv): axis 1 of 'w' meets an axis whose channels cannot be followed");
  REQUIRE(scene.pool.blocked(flow.map(1)[0][0]).empty());
}

TEST_CASE("channels: flatten repeats each channel and a tied weight keeps what is known", "[ops]") {
  Scene scene("y = Flatten(x)", {{2, 3, 2, 1}});
  const auto flow = scene.run();
  const auto& in = flow.map(0)[1];
  REQUIRE(flow.output_maps()[0][1] == Atoms{in[0], in[0], in[1], in[1], in[2], in[2]});

  Scene tied("y = Gemm(x, %w) transB=1", {{2, 3}, {4, 3}});
  tied.maps[1] = {tied.pool.fresh(4), tied.pool.fresh(3)};
  const auto linear = tied.run();
  REQUIRE(linear.output_maps()[0][1] == tied.maps[1][0]);
  REQUIRE(tied.roots(linear.map(1)[1]) == tied.roots(linear.map(0)[1]));
}

TEST_CASE("channels: a split axis gives its channels to the part they depend on", "[ops]") {
  Scene runs("y = Reshape(x) shape=[0,3,2]", {{2, 6}});
  const auto a = runs.pool.fresh(3);
  runs.maps[0][1] = {a[0], a[0], a[1], a[1], a[2], a[2]};
  REQUIRE(runs.run().output_maps()[0] == ChannelMap{{}, a, {}});

  Scene tiles("y = Reshape(x) shape=[0,3,2]", {{2, 6}});
  const auto b = tiles.pool.fresh(2);
  tiles.maps[0][1] = {b[0], b[1], b[0], b[1], b[0], b[1]};
  REQUIRE(tiles.run().output_maps()[0] == ChannelMap{{}, {}, b});

  Scene free("y = Reshape(x) shape=[0,3,2]", {{2, 6}});
  const auto flow = free.run();
  const auto in = free.roots(flow.map(0)[1]);
  REQUIRE(in == Atoms{in[0], in[1], in[0], in[1], in[0], in[1]});
  REQUIRE(free.roots(flow.output_maps()[0][2]) == Atoms{in[0], in[1]});
}

TEST_CASE("channels: two axes with channels cannot become one", "[ops]") {
  Scene scene("y = Reshape(x) shape=[0,-1]", {{2, 3, 4}});
  scene.maps[0][2] = scene.pool.fresh(4);
  const auto flow = scene.run();
  REQUIRE(scene.pool.blocked(flow.map(0)[1][0]) ==
          "node 'y' (Reshape): axes 1 and 2 both carry channels and become one");
}

TEST_CASE("channels: what meets element by element is one channel, what is spread out is blocked", "[ops]") {
  Scene same("y = Mul(a, b)", {{2, 3, 4, 4}, {2, 3, 1, 1}});
  const auto flow = same.run();
  REQUIRE(same.roots(flow.map(0)[1]) == same.roots(flow.map(1)[1]));

  Scene spread("y = Mul(a, b)", {{2, 3, 4, 4}, {2, 1, 4, 4}});
  const auto blocked = spread.run();
  REQUIRE(spread.pool.blocked(blocked.map(1)[1][0]) == "node 'y' (Mul): the one channel of 'b' is spread over 3");
  REQUIRE(spread.pool.blocked(blocked.map(0)[1][0]).empty());

  Scene unknown("y = Add(a, b)", {{2, 3, 4, 4}, {2, 3, 4, 4}});
  unknown.maps[1][1].clear();
  const auto half = unknown.run();
  REQUIRE(unknown.pool.blocked(half.map(0)[1][0]) == "node 'y' (Add): they meet axis 1 of 'b', which carries none");
}

TEST_CASE("channels: concatenation joins channels, of a parameter too", "[ops]") {
  Scene scene("y = Concat(a, %b) axis=1", {{2, 3, 4}, {2, 2, 4}});
  const auto flow = scene.run();
  const auto& out = flow.output_maps()[0][1];
  REQUIRE(out.size() == 5);
  REQUIRE(std::equal(out.begin(), out.begin() + 3, flow.map(0)[1].begin()));
  REQUIRE(std::equal(out.begin() + 3, out.end(), flow.map(1)[1].begin()));
}

TEST_CASE("channels: padding with zeros makes channels of its own, other padding blocks", "[ops]") {
  Scene zeros("y = Pad(x) pads=[1,2] axes=[1]", {{2, 3, 4}});
  const auto flow = zeros.run();
  REQUIRE(flow.output_maps()[0][1].size() == 6);
  REQUIRE(zeros.pool.blocked(flow.output_maps()[0][1][0]).empty());
  REQUIRE(flow.output_maps()[0][1][1] == flow.map(0)[1][0]);

  Scene ones("y = Pad(x) pads=[1,2] axes=[1] value=1.0", {{2, 3, 4}});
  const auto blocked = ones.run();
  REQUIRE(ones.pool.blocked(blocked.map(0)[1][0]) ==
          "node 'y' (Pad): channels are padded with something else than zeros");
}

TEST_CASE("channels: a slice with a step keeps whole windows together, one in reverse order each channel", "[ops]") {
  Scene odd("y = Slice(x) starts=[1] ends=[100] axes=[1] steps=[2]", {{2, 5, 4}});
  const auto flow = odd.run();
  const auto in = odd.roots(flow.map(0)[1]);
  REQUIRE(in == Atoms{in[0], in[0], in[2], in[2], in[4]});
  REQUIRE(odd.roots(flow.output_maps()[0][1]) == Atoms{in[0], in[2]});

  Scene reversed("y = Slice(x) starts=[-1] ends=[-100] axes=[1] steps=[-1]", {{2, 3, 4}});
  const auto back = reversed.run();
  const auto& order = back.map(0)[1];
  REQUIRE(back.output_maps()[0][1] == Atoms{order[2], order[1], order[0]});
}

TEST_CASE("channels: a slice with a step is adapted to what stays", "[ops]") {
  Scene scene("y = Slice(x) starts=[1] ends=[100] axes=[1] steps=[2]", {{2, 6, 4}});
  const auto flow = scene.run();
  std::vector<bool> kept(scene.pool.size(), true);
  for (const auto atom : {flow.map(0)[1][0], flow.map(0)[1][1]}) kept[static_cast<size_t>(atom)] = false;
  const std::vector<const ChannelMap*> inputs{&flow.map(0)};
  const std::vector<ChannelMap> outputs = flow.output_maps();
  Node node = scene.node;
  op_of(node).resize(node, Resize(inputs.data(), 1, outputs.data(), 1, kept));
  REQUIRE(node.attributes.integers("starts", {}) == std::vector<int64_t>{1});
  REQUIRE(node.attributes.integers("ends", {}) == std::vector<int64_t>{4});
}

TEST_CASE("channels: operators that mix channels block them and say so", "[ops]") {
  const auto require_blocked = [](const std::string& text, const std::vector<Shape>& shapes, const std::string& why) {
    Scene scene(text, shapes);
    const auto flow = scene.run();
    REQUIRE(scene.pool.blocked(flow.map(0)[1][0]) == describe(scene.node) + ": " + why);
  };
  require_blocked("y = Softmax(x) axis=1", {{2, 3, 4}}, "each channel depends on all");
  require_blocked("y = ReduceMean(x) axes=[1]", {{2, 3, 4}}, "channels are reduced to one number");
  require_blocked("y = Gather(x, %i) axis=1", {{2, 3, 4}, {2}}, "channels are picked by index");
  require_blocked("y = Gemm(x, %w) transA=1", {{2, 3}, {2, 5}}, "its input is transposed");
  require_blocked("y = Shape(x)", {{2, 3}}, "channels cannot be followed through this operator");
}

TEST_CASE("channels: groups of a quantised weight follow its output channels and pin its input channels", "[ops]") {
  for (const int output : {0, 1}) {
    const auto axes = fmt::format("axis={} input_axis={} group_size=2", output, 1 - output);
    const auto weight = output == 0 ? Shape{3, 4, 1, 1} : Shape{4, 3, 1, 1};
    Scene scene("y = FakeQuantize(%w, %s, %z) " + axes, {weight, {3, 2}, {3, 2}});
    const auto flow = scene.run();
    const auto outputs = static_cast<size_t>(output), inputs = 1 - outputs;
    REQUIRE(flow.map(1)[0] == flow.map(0)[outputs]);
    REQUIRE(flow.output_maps()[0] == flow.map(0));
    REQUIRE(scene.pool.blocked(flow.map(0)[outputs][0]).empty());
    REQUIRE(scene.pool.blocked(flow.map(0)[inputs][0]) ==
            describe(scene.node) + ": scales are shared by groups of input channels");
  }
}

TEST_CASE("channels: a quantised weight carries its parameter's channels to the convolution", "[ops]") {
  Scene quantiser("y = FakeQuantize(%w, %s, %z) axis=0", {{4, 3, 3, 3}, {4}, {4}});
  const auto quantised = quantiser.run();
  REQUIRE(quantised.map(1)[0] == quantised.map(0)[0]);

  Scene scene("y = Conv(x, w)", {{1, 3, 8, 8}, {4, 3, 3, 3}});
  scene.maps[1] = {scene.pool.fresh(4), scene.pool.fresh(3), {}, {}};
  const auto flow = scene.run();
  REQUIRE(flow.output_maps()[0][1] == scene.maps[1][0]);
  REQUIRE(scene.roots(scene.maps[1][1]) == scene.roots(flow.map(0)[1]));
  REQUIRE(scene.pool.blocked(scene.maps[1][0][0]).empty());
}
