#include "search/environment.h"

#include "analysis/cost.h"
#include "exec/plan.h"
#include "support/check_error.h"
#include "support/random_graph.h"
#include "unit/search/support.h"
#include "zoo.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::search;
using compress::search::test::by_magnitude;
using compress::search::test::redundant_network;
using compress::test::require_error;

namespace {

Environment environment_of(const Graph& graph, UnitOptions options = {}, Resource resource = Resource::macs) {
  return {graph, std::move(options), resource, by_magnitude()};
}

size_t unit_named(const Environment& environment, const std::string& name) {
  for (size_t i = 0; i < environment.units().size(); ++i)
    if (environment.units()[i].name == name) return i;
  FAIL("there is no unit " << name);
  return 0;
}

/// Two stages with a shortcut that takes every second pixel and pads channels on both sides, as Distiller's option A.
Graph slice_and_pad() {
  auto graph = parse_graph(R"(graph foreign(input: float[N,3,8,8]) -> (output = fc)
parameter stem.weight: float[4,3,3,3]
parameter block.conv1.weight: float[8,4,3,3]
parameter block.conv2.weight: float[8,8,3,3]
parameter fc.weight: float[5,8]
parameter fc.bias: float[5]
stem = Conv(input, %stem.weight) kernel_shape=[3,3] pads=[1,1,1,1]
relu = Relu(stem)
conv1 = Conv(relu, %block.conv1.weight) kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2]
relu1 = Relu(conv1)
conv2 = Conv(relu1, %block.conv2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
half = Slice(relu) axes=[2,3] ends=[100,100] starts=[0,0] steps=[2,2]
wide = Pad(half) pads=[0,2,0,0,0,2,0,0]
sum = Add(conv2, wide)
relu2 = Relu(sum)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  double seed = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    graph.assign(name, compress::test::wild(value.sizes().vec(), ++seed).to(at::kFloat));
  }
  return graph;
}

/// Both halves of a layer's channels are read, one by one.
Graph split_network() {
  return parse_graph(R"(graph split(input: float[N,3,4,4]) -> (output = fc)
parameter conv.weight: float[4,3,1,1]
parameter left.weight: float[6,2,1,1]
parameter right.weight: float[6,2,1,1]
parameter fc.weight: float[5,6]
parameter fc.bias: float[5]
conv = Conv(input, %conv.weight)
one = Slice(conv) axes=[1] ends=[2] starts=[0] steps=[1]
two = Slice(conv) axes=[1] ends=[4] starts=[2] steps=[1]
left = Conv(one, %left.weight)
right = Conv(two, %right.weight)
sum = Add(left, right)
pool = GlobalAveragePool(sum)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
}

}  // namespace

TEST_CASE("size: a network costs what analysis counts", "[search]") {
  for (const char* spec : {"resnet20_cifar", "lenet5", "mobilenet_v2?width=0.25&resolution=64"}) {
    INFO(spec);
    const auto graph = models::build_model(spec, {1});
    const auto size = size_of(graph);
    const auto cost = analysis::cost(graph);
    REQUIRE(size.macs == cost.macs);
    REQUIRE(size.parameters == cost.parameters);
    REQUIRE(size.bytes == cost.stored_bytes);
    REQUIRE(size.of(Resource::macs) == size.macs);
    REQUIRE(size.of(Resource::parameters) == size.parameters);
    REQUIRE(size.of(Resource::bytes) == size.bytes);
  }
}

TEST_CASE("units: the channels of resnet20, coupled along its stages", "[search]") {
  const auto environment = environment_of(models::build_model("resnet20_cifar", {1}));
  std::vector<std::string> names;
  for (const auto& unit : environment.units()) names.push_back(fmt::format("{} {}", unit.name, unit.channels));
  REQUIRE(names ==
          std::vector<std::string>{"conv1.weight 16", "layer1.0.conv1.weight 16", "layer1.1.conv1.weight 16",
                                   "layer1.2.conv1.weight 16", "layer2.0.conv1.weight 32", "layer2.0.conv2.weight 32",
                                   "layer2.1.conv1.weight 32", "layer2.2.conv1.weight 32", "layer3.0.conv1.weight 64",
                                   "layer3.0.conv2.weight 64", "layer3.1.conv1.weight 64", "layer3.2.conv1.weight 64"});
  const auto& trunk = environment.units()[5];
  REQUIRE(trunk.makers.size() == 4);  // conv2 of three blocks and the shortcut's convolution
}

TEST_CASE("environment: what an agent sees of resnet20's layers", "[search]") {
  const auto environment = environment_of(models::build_model("resnet20_cifar", {1}));
  const auto seen = environment.observe(unit_named(environment, "layer2.0.conv1.weight"), 0.25);
  REQUIRE(seen.index == 4);
  REQUIRE(seen.kind == LayerKind::convolution);
  REQUIRE(seen.outputs == 32);
  REQUIRE(seen.inputs == 16);
  REQUIRE(seen.height == 32);
  REQUIRE(seen.width == 32);
  REQUIRE(seen.stride == 2);
  REQUIRE(seen.kernel == 3);
  REQUIRE(seen.macs == 16 * 16 * 32 * 16 * 9);
  REQUIRE(seen.weights == 32 * 16 * 9);
  REQUIRE(seen.reduced == 0);
  REQUIRE(seen.previous == 0.25);
  double rest = 0;
  for (size_t behind = 5; behind < environment.units().size(); ++behind)
    rest += static_cast<double>(environment.units()[behind].macs);
  REQUIRE(seen.rest == rest);
  const auto values = seen.values();
  REQUIRE(values.size() == 13);
  REQUIRE(values[2] == 32);
  REQUIRE(values[8] == static_cast<double>(seen.macs));
  REQUIRE(values[9] == static_cast<double>(seen.weights));
  REQUIRE(values[12] == 0.25);
}

TEST_CASE("environment: a step cuts the weakest channels and leaves the start as it is", "[search]") {
  const auto graph = redundant_network();
  auto environment = environment_of(graph);
  REQUIRE(environment.size().macs == 80);
  auto step = environment.step(0, 2);
  REQUIRE(step.graph.parameter("conv1.weight").value.size(0) == 6);
  REQUIRE(step.graph.parameter("conv2.weight").value.size(1) == 6);
  REQUIRE(step.size.macs == 80 - 2 * 8);
  REQUIRE(step.graph.parameter("fc.weight").value.is_same(graph.parameter("fc.weight").value));
  REQUIRE(graph.parameter("conv1.weight").value.size(0) == 8);
  environment.take(std::move(step));
  REQUIRE(environment.left() == Approx(0.8));
  REQUIRE(environment.units()[0].channels == 6);
  REQUIRE(environment.changes().sliced.size() == 2);
  REQUIRE(environment.changes().sliced[0].kept == std::vector<int64_t>{0, 1, 2, 3, 6, 7});
  environment.reset();
  REQUIRE(environment.left() == 1);
  REQUIRE(environment.changes().empty());
}

TEST_CASE("environment: a foreign network with a slice-and-pad shortcut is made smaller and still runs", "[search]") {
  const auto graph = slice_and_pad();
  auto environment = environment_of(graph);
  std::vector<std::string> names;
  for (const auto& unit : environment.units()) names.push_back(fmt::format("{} {}", unit.name, unit.channels));
  // The outer channels of the second stage live for themselves, the inner ones with the first stage.
  REQUIRE(names == std::vector<std::string>{"stem.weight 4", "block.conv1.weight 8", "block.conv2.weight 4"});
  REQUIRE(environment.units()[0].makers.size() == 2);
  const auto images = compress::test::wild({2, 3, 8, 8}).to(at::kFloat);
  for (size_t unit = 0; unit < 3; ++unit)
    for (const int64_t count : {int64_t{1}, environment.units()[unit].most}) {
      const auto step = environment.step(unit, count);
      const exec::Plan plan(step.graph);
      REQUIRE(plan.run({&images, 1}).front().size(1) == 5);
      REQUIRE(step.size.macs < environment.size().macs);
    }
  environment.take(environment.step({1, 2, 1}));
  REQUIRE(environment.graph().parameter("stem.weight").value.size(0) == 3);
  REQUIRE(environment.graph().parameter("block.conv2.weight").value.size(0) == 6);
  const exec::Plan plan(environment.graph());
  REQUIRE(plan.run({&images, 1}).front().size(1) == 5);
}

TEST_CASE("environment: no value loses its last channel", "[search]") {
  auto graph = split_network();
  graph.assign("conv.weight", compress::test::wild({4, 3, 1, 1}).to(at::kFloat));
  graph.writable("conv.weight").slice(0, 0, 2).mul_(0.001);  // both channels of the left half are the weakest
  const auto environment = environment_of(graph);
  const auto unit = unit_named(environment, "conv.weight");
  REQUIRE(environment.units()[unit].most <= 2);
  const auto step = environment.step(unit, environment.units()[unit].most);
  for (const char* half : {"left.weight", "right.weight"}) REQUIRE(step.graph.parameter(half).value.size(1) >= 1);
}

TEST_CASE("units: what stays is a multiple, and never less than the least", "[search]") {
  const auto graph = redundant_network();
  const auto environment = environment_of(graph, {.min_channels = 3, .multiple_of = 2});
  const auto& unit = environment.units()[0];
  REQUIRE(unit.most == 4);  // 4 is the smallest even number above 3
  REQUIRE(unit.allowed(1) == 2);
  REQUIRE(unit.allowed(2) == 2);
  REQUIRE(unit.allowed(3) == 4);
  REQUIRE(unit.allowed(100) == 4);
  REQUIRE(environment.units().size() == 1);  // conv2 has 4 channels already
  require_error([&] { environment.step(0, 5); }, "of the 8 channels of 'conv1.weight' at most 4 may be removed, not 5");
}

TEST_CASE("units: chosen by name or pattern, also by a weight that goes along", "[search]") {
  const auto graph = models::build_model("resnet20_cifar", {1});
  REQUIRE(environment_of(graph, {.include = {"layer1.*.conv1.weight"}}).units().size() == 3);
  REQUIRE(environment_of(graph, {.exclude = {"module.conv1.weight"}}).units().size() == 11);
  const auto trunk = environment_of(graph, {.include = {"layer1.2.conv2.weight"}});
  REQUIRE(trunk.units().size() == 1);
  REQUIRE(trunk.units()[0].name == "conv1.weight");
}

TEST_CASE("environment: how many channels reach a goal", "[search]") {
  const auto environment = environment_of(redundant_network());  // 80 = 8 a channel of conv1 + 48, ...
  REQUIRE(environment.channels_for(0, 64) == 2);
  REQUIRE(environment.channels_for(0, 63) == 3);
  REQUIRE(environment.channels_for(0, 23) == -1);
  REQUIRE(environment.smallest() == environment.step({7, 3}).size.macs);
}

TEST_CASE("environment: what a layer must lose so that the target stays reachable", "[search]") {
  const auto environment = environment_of(redundant_network());
  REQUIRE(environment.least(0, 80) == 0);
  // conv2 alone can go down to one channel: 8 * 4 + 8 + 4 MACs stay.
  REQUIRE(environment.least(0, 44) == 0);
  REQUIRE(environment.least(0, 43) == 1);
  REQUIRE(environment.least(0, 1) == 7);
  REQUIRE(environment.least(1, 60) == environment.channels_for(1, 60));
  // When conv2 may lose half of its channels only, conv1 has to lose more.
  REQUIRE(environment.least(0, 44, 0.5) == 2);
}

TEST_CASE("units: words that name nothing, and nothing left to remove", "[search]") {
  const auto graph = redundant_network();
  const auto text = [&](const UnitOptions& options) {
    Problems problems;
    check_units(graph, options, problems);
    return compress::test::error_text([&] { problems.raise(); });
  };
  REQUIRE(text({.include = {"conv3.weight"}}).find("'conv3.weight' names no weight whose output channels could be") !=
          std::string::npos);
  REQUIRE(text({.include = {"conv1.wieght"}}).find("did you mean 'conv1.weight'?") != std::string::npos);
  REQUIRE(text({.exclude = {"*"}}).find("'include' and 'exclude' leave no layer") != std::string::npos);
  const auto blocked = text({.include = {"fc.weight"}});
  REQUIRE(blocked.find("there are no channels to remove") != std::string::npos);
  REQUIRE(blocked.find("what keeps them: 'fc.weight': output 'output' of the network") != std::string::npos);
  REQUIRE(text({.min_channels = 100}).find("'min_channels' and 'multiple_of' may ask for more") != std::string::npos);
}
