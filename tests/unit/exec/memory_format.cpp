#include "exec/memory_format.h"

#include "networks.h"

using namespace compress;
using namespace compress::test;

TEST_CASE("memory format: networks with 2-D convolutions are channels-last, others are not", "[exec]") {
  REQUIRE(exec::prefers_channels_last(
      network("graph g(x: float[N,2,5,5]) -> (y = c)\nparameter w: float[2,2,3,3]\nc = Conv(x, %w)\n")));
  REQUIRE_FALSE(exec::prefers_channels_last(
      network("graph g(x: float[N,2,5]) -> (y = c)\nparameter w: float[2,2,3]\nc = Conv(x, %w)\n")));
  REQUIRE_FALSE(exec::prefers_channels_last(network("graph g(x: float[N,2]) -> (y = r)\nr = Relu(x)\n")));
}

TEST_CASE("memory format: one channel gets the strides of channels-last too", "[exec]") {
  for (const int64_t channels : {1, 3}) {
    const auto x = image({2, channels, 4, 5});
    const auto last = exec::to_channels_last(x);
    REQUIRE(last.equal(x));
    REQUIRE(last.suggest_memory_format() == at::MemoryFormat::ChannelsLast);
    REQUIRE(exec::to_channels_last(last).is_same(last));
  }
}

TEST_CASE("memory format: preparing parameters changes convolution weights only, and once", "[exec]") {
  auto graph =
      network("graph g(x: float[N,2,5,5]) -> (y = f)\nparameter w: float[2,2,3,3]\nparameter k: float[1,2,5,5]\n"
              "parameter scale: float[1]\nparameter zero: float[1]\nq = FakeQuantize(%w, %scale, %zero)\n"
              "c = Conv(x, q) pads=[1,1,1,1]\nf = Add(c, %k)\n");
  graph.parameter("w").value.requires_grad_(true);
  const auto before = graph.parameter("w").value.detach().clone();
  exec::prepare_parameters(graph, at::kCPU);
  const auto& weight = graph.parameter("w").value;
  REQUIRE(weight.equal(before));
  REQUIRE(weight.requires_grad());
  REQUIRE(weight.suggest_memory_format() == at::MemoryFormat::ChannelsLast);
  REQUIRE(graph.parameter("k").value.is_contiguous());
  const auto version = graph.version();
  exec::prepare_parameters(graph, at::kCPU);
  REQUIRE(graph.version() == version);
}
