#include "ops/op.h"

#include "support/check_error.h"
#include "support/run_op.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::test;

namespace {

Graph operator_graph(const std::string& lines) {
  return parse_graph("graph g(x: float[N,3,8,8]) -> (y = y)\n"
                     "parameter w: float[4,3,3,3]\nparameter b: float[4]\nparameter v: float[5,4]\n" +
                     lines);
}

void require_node_error(const std::string& text, const std::string& part, const std::string& other = "") {
  require_error([&] { ops::check_node(node_of(text)); }, part, other);
}

}  // namespace

TEST_CASE("op: an unknown operator names the node, the nearest operator and what to do", "[ops]") {
  require_node_error("c = Convv(x, %w)", "node 'c': operator 'Convv' is not supported", "did you mean 'Conv'?");
  require_node_error("c = Bernoulli(x)", "compress list operators");
}

TEST_CASE("op: a wrong number of inputs or outputs is named", "[ops]") {
  require_node_error("c = Conv(x)", "node 'c' (Conv): has 1 inputs, but the operator takes 2 to 3");
  require_node_error("c = Add(x, y, z)", "has 3 inputs, but the operator takes 2");
  require_node_error("c = Add(x, _)", "input 1 is absent, but the operator needs it");
  require_node_error("c, c:1 = Relu(x)", "has 2 outputs, but 1 of the operator are supported");
  require_node_error("c = Concat() axis=1", "has 0 inputs, but the operator takes at least 1");
}

TEST_CASE("op: attributes are checked for name, type, word and presence", "[ops]") {
  require_node_error("c = Conv(x, %w) stride=[1,1]", "attribute 'stride' is not supported", "did you mean 'strides'?");
  require_node_error("c = Relu(x) alpha=1", "attribute 'alpha' is not supported", "the operator has no attributes");
  require_node_error("c = Conv(x, %w) group=[1]", "attribute 'group' must be an integer");
  require_node_error("c = Conv(x, %w) pads=1", "attribute 'pads' must be a list of integers");
  require_node_error("c = LeakyRelu(x) alpha=\"a\"", "attribute 'alpha' must be a number");
  require_node_error("c = Pad(x) pads=[0,0] mode=\"mirror\"", "attribute 'mode' is 'mirror'",
                     "allowed are constant, reflect, edge and wrap");
  require_node_error("c = Pad(x) pads=[0,0] mode=1", "attribute 'mode' must be text");
  require_node_error("c = Constant() value_floats=\"a\"", "attribute 'value_floats' must be a list of numbers");
  require_node_error("c = Concat(x)", "attribute 'axis' is missing");
}

TEST_CASE("op: inference gives values and parameters their shapes for any batch", "[ops]") {
  const auto graph = operator_graph("c = Conv(x, %w, %b)\nf = Flatten(c)\ny = Relu(f)\n");
  const auto infos = ops::infer(graph, 7);
  REQUIRE(infos.at("x").shape == Shape{7, 3, 8, 8});
  REQUIRE(infos.at("w").shape == Shape{4, 3, 3, 3});
  REQUIRE(infos.at("y").shape == Shape{7, 144});
  REQUIRE(infos.find("nothing") == nullptr);
  REQUIRE(ops::infer(graph, 1, &graph.node("f")).find("f") == nullptr);
  require_error([&] { infos.at("nothing"); }, "there is no value or parameter 'nothing'");
  ops::verify(graph);
}

TEST_CASE("op: shapes that do not fit name the node and both shapes", "[ops]") {
  const auto require_misfit = [](const std::string& lines, const std::string& node, const std::string& part) {
    const auto graph = operator_graph(lines);
    require_error([&] { ops::verify(graph); }, "checking the shapes of " + node, part);
  };
  require_misfit("y = Conv(x, %w) group=3\n", "node 'y' (Conv)",
                 "the input has 3 channels, but the weight of shape 4x3x3x3");
  require_misfit("y = Conv(x, %v)\n", "node 'y' (Conv)", "do not make a convolution");
  require_misfit("y = Conv(x, %w, %v)\n", "node 'y' (Conv)", "the bias has shape 5x4, but there are 4 output channels");
  require_misfit("y = Conv(x, %w) pads=[1,1]\n", "node 'y' (Conv)", "'pads' has 2 entries, but 4 are needed");
  require_misfit("y = Conv(x, %w) kernel_shape=[5,5]\n", "node 'y' (Conv)", "but the weight's kernel is 3x3");
  require_misfit("y = Conv(x, %w) dilations=[9,9]\n", "node 'y' (Conv)", "is larger than the padded input");
  require_misfit("y = Conv(x, %w) strides=[0,1]\n", "node 'y' (Conv)", "must be at least 1");
  require_misfit("f = Flatten(x)\ny = Gemm(f, %v)\n", "node 'y' (Gemm)", "the input has 192 features");
  require_misfit("y = Gemm(x, %v)\n", "node 'y' (Gemm)", "both need two axes");
  require_misfit("f = Flatten(x)\ny = MatMul(f, %v)\n", "node 'y' (MatMul)", "192 columns meet 5 rows");
  require_misfit("y = Add(x, %b)\n", "node 'y' (Add)", "shapes 2x3x8x8 and 4 do not fit together element by element");
  require_misfit("y = BatchNormalization(x, %b, %b, %b, %b)\n", "node 'y' (BatchNormalization)",
                 "input 1 has shape 4, but the value has 3 channels");
  require_misfit("y = Concat(x, %b) axis=1\n", "node 'y' (Concat)", "cannot be joined on axis 1");
  require_misfit("y = Softmax(x) axis=4\n", "node 'y' (Softmax)", "axis 4 is outside a value with 4 axes");
  require_misfit("y = Reshape(x) shape=[0,100]\n", "node 'y' (Reshape)",
                 "a value of shape 2x3x8x8 cannot be seen as 0x100");
  require_misfit("y = Reshape(x) shape=[0,0] allowzero=1\n", "node 'y' (Reshape)",
                 "a value of shape 2x3x8x8 cannot be seen as 0x0");
  require_misfit("y = Squeeze(x) axes=[1]\n", "node 'y' (Squeeze)", "axis 1 of shape 2x3x8x8 cannot be dropped");
  require_misfit("y = Transpose(x) perm=[0,0,1,2]\n", "node 'y' (Transpose)", "must list each of the 4 axes");
  require_misfit("y = Slice(x) starts=[0] ends=[1,2]\n", "node 'y' (Slice)", "must have equally many");
  require_misfit("y = Slice(x) starts=[0] ends=[1] steps=[0]\n", "node 'y' (Slice)", "attribute 'steps' has a 0");
  require_misfit("y, y:1 = Split(x) axis=1 split=[1,1]\n", "node 'y' (Split)", "do not split an axis of size 3");
  require_misfit("y = Pad(x) pads=[1,1]\n", "node 'y' (Pad)", "'pads' has 2 entries, but 8 are needed");
  require_misfit("y = Pad(x) pads=[-8,-8] axes=[2]\n", "node 'y' (Pad)", "less than nothing");
  require_misfit("y = LpPool(x) kernel_shape=[2,2] p=0\n", "node 'y' (LpPool)", "'p' is 0, it must be at least 1");
  require_misfit("y = MaxUnpool(x, x) kernel_shape=[2,2] output_shape=[2,3,8,8]\n", "node 'y' (MaxUnpool)",
                 "'output_shape' is 2x3x8x8, but the windows fill 2x3x9x9");
  require_misfit("y = ConvTranspose(x, %w)\n", "node 'y' (ConvTranspose)",
                 "the input has 3 channels, but the weight of shape 4x3x3x3 takes 4 in 1 group(s)");
  require_misfit("y = GroupNormalization(x, %b, %b) num_groups=2\n", "node 'y' (GroupNormalization)",
                 "3 channels do not make 2 groups of equal size");
  require_misfit("y = InstanceNormalization(x, %b, %b)\n", "node 'y' (InstanceNormalization)",
                 "input 1 has shape 4, but the value has 3 channels");
  require_misfit("y = LayerNormalization(x, %b)\n", "node 'y' (LayerNormalization)",
                 "input 1 has shape 4, but the normalised axes have 8");
  require_misfit("y = LRN(x) size=0\n", "node 'y' (LRN)", "'size' is 0, it must be at least 1");
  require_misfit("y = LpNormalization(x) p=3\n", "node 'y' (LpNormalization)", "attribute 'p' is 3");
  require_misfit("y = Resize(x)\n", "node 'y' (Resize)", "needs either 'scales' or 'sizes'");
  require_misfit("y = Resize(x) scales=[1,2]\n", "node 'y' (Resize)", "'scales' has 2 entries, but 4 are needed");
  require_misfit("y = Resize(x) scales=[1,1,0,1]\n", "node 'y' (Resize)", "it must be positive");
  require_misfit("y = Resize(x) scales=[1,1,0.1,1]\n", "node 'y' (Resize)", "nothing is left of an axis of size 8");
  require_misfit("y = Resize(x) scales=[1,1,2,2] antialias=1\n", "node 'y' (Resize)", "modes linear and cubic");
  require_misfit("y = DepthToSpace(x) blocksize=2\n", "node 'y' (DepthToSpace)", "3 channels do not make blocks of 2");
  require_misfit("y = SpaceToDepth(x) blocksize=3\n", "node 'y' (SpaceToDepth)", "an image of 8 times 8");
  require_misfit("y = MatMulInteger(x, x)\n", "node 'y' (MatMulInteger)", "input 0 has the type Float");
  require_misfit("y = MaxPool(x) kernel_shape=[2]\n", "node 'y' (MaxPool)", "the kernel has 1 axes");
  require_misfit("f = Flatten(x)\ny = MaxPool(f) kernel_shape=[2]\n", "node 'y' (MaxPool)", "cannot be pooled");
  require_misfit("y = Cast(x) to=8\n", "node 'y' (Cast)", "ONNX element type 8 is not supported");
  require_misfit("y = PRelu(x, %w)\n", "node 'y' (PRelu)", "do not fit together");
  require_misfit("y = Constant()\n", "node 'y' (Constant)", "needs value_int");
  require_misfit("y = Range(x, x, x)\n", "node 'y' (Range)", "depends on data");
  require_misfit("y = QuantizeLinear(x, %b)\n", "node 'y' (QuantizeLinear)", "the scale has shape 4, but axis 1");
  require_misfit("y = QuantizeLinear(x, %b, %b)\n", "node 'y' (QuantizeLinear)", "the scale has shape 4, but axis 1");
  require_misfit("y = FakeQuantize(x, %b, %b) axis=1\n", "node 'y' (FakeQuantize)",
                 "input 1 has shape 4, but 3 number(s)");
  require_misfit("y = FakeQuantize(x, %b, %b) axis=7\n", "node 'y' (FakeQuantize)",
                 "'axis' is 7, but the value has 4 axes");
  require_misfit("y = FakeQuantize(x, %b, %b) bits=1\n", "node 'y' (FakeQuantize)", "attribute 'bits' is 1");
}

TEST_CASE("op: all operators are listed by name, ours last, and found by name", "[ops]") {
  const auto all = ops::all_ops();
  REQUIRE(all.size() >= 50);
  REQUIRE(all.front()->name == "Abs");
  REQUIRE(all.back()->domain == "compress");
  for (const auto* op : all) REQUIRE(ops::find_op(op->name) == op);
  REQUIRE(ops::find_op("Nothing") == nullptr);
}
