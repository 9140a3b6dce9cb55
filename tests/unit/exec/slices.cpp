#include "exec/slices.h"

#include "networks.h"

using namespace compress;
using namespace compress::test;

namespace {

int64_t slice_of(const Graph& graph) {
  const auto infos = ops::infer(graph, 2);
  return exec::slice_size(graph, infos, [&](std::string_view name) { return graph.find_parameter(name) != nullptr; });
}

}  // namespace

TEST_CASE("slices: a batch runs in parts of near-equal size and is joined again", "[exec]") {
  const exec::Tensors inputs{image({10, 3})};
  std::vector<int64_t> sizes;
  const auto joined = exec::run_in_slices(inputs, 4, [&](std::span<const at::Tensor> part) {
    sizes.push_back(part[0].size(0));
    return exec::Tensors{part[0].mul(2)};
  });
  REQUIRE(sizes == std::vector<int64_t>{3, 3, 4});
  REQUIRE(joined[0].equal(inputs[0].mul(2)));
}

TEST_CASE("slices: the layout of the parts is that of the whole", "[exec]") {
  const exec::Tensors inputs{image({10, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast)};
  const auto joined =
      exec::run_in_slices(inputs, 4, [](std::span<const at::Tensor> part) { return exec::Tensors{part[0].clone()}; });
  REQUIRE(joined[0].strides() == inputs[0].strides());
  REQUIRE(joined[0].equal(inputs[0]));
}

TEST_CASE("slices: a network that treats every sample alone is sliced, by the size of its values", "[exec]") {
  const auto with_side = [](int side) {
    const auto size = std::to_string(side);
    return network("graph g(x: float[N,16," + size + "," + size +
                   "]) -> (y = act)\nparameter w: float[16,16,1,1]\nconv = Conv(x, %w)\n"
                   "act = Relu(conv)\n");
  };
  REQUIRE(slice_of(with_side(8)) >= slice_of(with_side(64)));
  REQUIRE(slice_of(with_side(64)) > 0);
}

TEST_CASE("slices: sliced and whole batches agree", "[exec]") {
  const auto graph = network("graph g(x: float[N,3,40,40]) -> (y = act)\nparameter w: float[16,3,3,3]\nconv = Conv(x, "
                             "%w)\nact = Relu(conv)\n");
  const auto x = image({300, 3, 40, 40});
  const exec::Plan plan(graph);
  INFO(plan.str());
  REQUIRE(plan.str().find("slices of") != std::string::npos);
  const auto whole = plan.run(exec::Tensors{x})[0];
  for (const int64_t sample : {0, 150, 299})
    require_same_outputs(plan.run(exec::Tensors{x.narrow(0, sample, 1)}), {whole.narrow(0, sample, 1)}, 1e-5);
}

TEST_CASE("slices: what mixes the samples of a batch runs whole", "[exec]") {
  const std::string head = "graph g(x: float[N,4]) -> (y = y)\n";
  for (const std::string node :
       {"y = Softmax(x) axis=0", "y = Softmax(x) axis=-2", "y = ReduceMean(x) axes=[0] keepdims=1",
        "y = Transpose(x) perm=[1,0]", "y = Concat(x, x) axis=0", "y = Reshape(x) shape=[-1,2]"}) {
    INFO(node);
    REQUIRE(slice_of(parse_graph(head + node + "\n")) == 0);
  }
  REQUIRE(slice_of(parse_graph(head + "y = Softmax(x) axis=1\n")) > 0);
  const std::string images = "graph g(x: float[N,2,4,4]) -> (y = y)\n";
  for (const std::string node :
       {"y = MeanVarianceNormalization(x)", "m, m:1 = MaxPool(x) kernel_shape=[2,2]\ny = Relu(m)"}) {
    INFO(node);
    REQUIRE(slice_of(parse_graph(images + node + "\n")) == 0);
  }
  REQUIRE(slice_of(parse_graph(images + "y = MeanVarianceNormalization(x) axes=[2,3]\n")) > 0);
}

TEST_CASE("slices: inputs without a batch run whole", "[exec]") {
  REQUIRE(slice_of(parse_graph("graph g(x: float[N,4], s: float[2,4]) -> (y = y)\ny = Relu(x)\n")) == 0);
}
