#include "analysis/compare_models.h"

#include "graph/text_form.h"
#include "support/check_error.h"
#include "support/tensors.h"

#include <ATen/TensorOperators.h>

#include <cmath>

using namespace compress;
using namespace compress::test;
using analysis::ModelComparer;
using analysis::ModelComparison;

namespace {

const std::string kPlain = R"(graph net(x: float[N,4]) -> (y = fc)
parameter a.weight: float[6,4]
parameter fc.weight: float[3,6]
a = Gemm(x, %a.weight) transB=1
act = Relu(a)
fc = Gemm(act, %fc.weight) transB=1
)";

const std::string kSimulated = R"(graph net(x: float[N,4]) -> (y = fc)
parameter a.weight: float[6,4]
parameter act.quantizer.scale: float[]
parameter act.quantizer.zero_point: float[]
parameter fc.weight: float[3,6]
a = Gemm(x, %a.weight) transB=1
act = Relu(a)
act.quantizer = FakeQuantize(act, %act.quantizer.scale, %act.quantizer.zero_point) bits=8 signed=0
fc = Gemm(act.quantizer, %fc.weight) transB=1
)";

/// QuantizeLinear and DequantizeLinear, under names of another program.
const std::string kQdq = R"(graph net(image: float[N,4]) -> (logits = fc)
parameter a.weight: float[6,4]
parameter s: float[]
parameter z: uint8[]
parameter fc.weight: float[3,6]
a = Gemm(image, %a.weight) transB=1
act = Relu(a)
q1 = QuantizeLinear(act, %s, %z)
dq1 = DequantizeLinear(q1, %s, %z)
fc = Gemm(dq1, %fc.weight) transB=1
)";

Graph network(const std::string& text, double scale = 0.01) {
  auto graph = parse_graph(text);
  double seed = 0;
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    if (name.ends_with("weight")) graph.assign(name, wild(value.sizes().vec(), ++seed).to(at::kFloat));
    if (name.ends_with("scale") || name == "s") graph.assign(name, at::scalar_tensor(scale, at::kFloat));
  }
  return graph;
}

at::Tensor inputs(int64_t samples, double seed = 9) {
  return wild({samples, 4}, seed).to(at::kFloat);
}

ModelComparison compared(const Graph& a, const Graph& b, int64_t batches = 1) {
  ModelComparer comparer(a, b);
  for (int64_t i = 0; i < batches; ++i) {
    const at::Tensor batch[] = {inputs(5, static_cast<double>(9 + i))};
    comparer.add(batch);
  }
  return comparer.result();
}

}  // namespace

TEST_CASE("compare_models: a network equals itself") {
  const auto result = compared(network(kPlain), network(kPlain));
  REQUIRE(result.samples == 5);
  REQUIRE(result.layers.size() == 3);
  for (const auto& layer : result.layers) REQUIRE(layer.difference.exact());
  REQUIRE(result.outputs[0].difference.exact());
  REQUIRE(*result.outputs[0].top1_agreement == 100);
  REQUIRE(result.first_below(1000) == nullptr);
}

TEST_CASE("compare_models: a layer's value is what its quantiser makes of it, and noise begins there") {
  const auto result = compared(network(kPlain), network(kSimulated), 3);
  REQUIRE(result.samples == 15);
  REQUIRE(result.layers.size() == 3);
  REQUIRE(result.layers[0].difference.exact());
  const auto& act = result.layers[1];
  REQUIRE(act.name == "act");
  REQUIRE(act.op == "Relu");
  REQUIRE(act.reference == "act");
  REQUIRE(act.other == "act.quantizer");
  REQUIRE(act.difference.max_error() <= 0.00501);
  REQUIRE(act.difference.max_error() > 0.003);
  REQUIRE(act.difference.numbers() == 15 * 6);
  REQUIRE(result.first_below(1000)->name == "act");
  REQUIRE(result.only_reference.empty());
  REQUIRE(result.only_other.empty());
}

TEST_CASE("compare_models: a simulation and its file with other names for quantisers, inputs and outputs") {
  const auto result = compared(network(kSimulated), network(kQdq));
  REQUIRE(result.layers.size() == 3);
  REQUIRE(result.layers[1].reference == "act.quantizer");
  REQUIRE(result.layers[1].other == "dq1");
  for (const auto& layer : result.layers) REQUIRE(layer.difference.exact());
  REQUIRE(result.outputs[0].name == "y");
}

TEST_CASE("compare_models: where an operator reads the integers, values are compared before their quantisers") {
  const auto integers = network(R"(graph net(x: float[N,4]) -> (y = fc.real)
parameter a.weight: float[6,4]
parameter s: float[]
parameter z: uint8[]
parameter w: uint8[6,3]
a = Gemm(x, %a.weight) transB=1
act = Relu(a)
q = QuantizeLinear(act, %s, %z)
fc = QLinearMatMul(q, %s, %z, %w, %s, %z, %s, %z)
fc.real = DequantizeLinear(fc, %s, %z)
)");
  const auto result = compared(network(kSimulated), integers);
  REQUIRE(result.layers.size() == 2);
  const auto& act = result.layers[1];
  REQUIRE(act.reference == "act");
  REQUIRE(act.other == "act");
  REQUIRE(act.difference.exact());
}

TEST_CASE("compare_models: top-1 agreement counts samples") {
  auto other = network(kPlain);
  other.assign("fc.weight", -other.parameter("fc.weight").value);
  const auto result = compared(network(kPlain), other);
  REQUIRE(*result.outputs[0].top1_agreement < 50);
  REQUIRE(result.outputs[0].difference.cosine() == Approx(-1));
  REQUIRE(result.first_below(20)->name == "fc");
}

TEST_CASE("compare_models: layers of one model, and layers of another shape, are listed") {
  auto graph = parse_graph(R"(graph net(x: float[N,4]) -> (y = fc)
parameter a.weight: float[5,4]
parameter fc.weight: float[3,5]
a = Gemm(x, %a.weight) transB=1
extra = Sigmoid(a)
fc = Gemm(extra, %fc.weight) transB=1
)");
  const auto result = compared(network(kPlain), graph);
  REQUIRE(result.layers.size() == 1);
  REQUIRE(result.only_reference == std::vector<std::string>{"act"});
  REQUIRE(result.only_other == std::vector<std::string>{"extra"});
  REQUIRE(result.other_shape == std::vector<std::string>{"a"});
}

TEST_CASE("compare_models: models of different inputs, outputs and layers are refused") {
  const auto plain = network(kPlain);
  const auto refuse = [&](const std::string& text, auto... parts) {
    require_error([&] { ModelComparer(plain, parse_graph(text)); }, parts...);
  };
  refuse("graph g(x: float[N,4], z: float[N,4]) -> (y = s)\ns = Add(x, z)\n",
         "the models have 1 and 2 inputs, so they cannot be compared", "inputs of the first: x; of the second: x, z");
  refuse("graph g(x: float[N,5]) -> (y = s)\ns = Relu(x)\n",
         "the models' inputs differ: x Nx4 (Float) and x Nx5 (Float)");
  refuse("graph g(x: float[N,4]) -> (y = s, z = s)\ns = Relu(x)\n",
         "the models have 1 and 2 outputs, so they cannot be compared");
  refuse("graph g(x: float[N,4]) -> (y = s)\ns = Relu(x)\n",
         "the models' outputs differ: 'y' is 1x3 and 'y' is 1x4 for one sample");
  refuse("graph g(x: float[N,4]) -> (y = b)\nparameter w: float[3,4]\nb = Gemm(x, %w) transB=1\n",
         "the models have no layer in common, by name and shape", "layers of the first: a, act, fc; of the second: b",
         "are they two forms of one network?");
}

TEST_CASE("compare_models: nothing was compared") {
  const ModelComparer comparer(network(kPlain), network(kPlain));
  REQUIRE(comparer.batch_size() == 64);
  require_error([&] { comparer.result(); }, "no sample was compared");
}
