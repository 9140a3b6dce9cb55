#include "exec/folded_convolution.h"

#include "training.h"

using namespace compress;
using namespace compress::test;

namespace {

/// The inputs of a FakeQuantize of this name, with method ema.
std::string grid_parameters(const std::string& name) {
  std::string text;
  for (const char* part : {"scale", "zero_point", "range_min", "range_max", "steps"})
    text += "parameter " + name + "." + part + ": float[] fixed\n";
  return text;
}

std::string quantiser(const std::string& name, const std::string& value, const std::string& attributes) {
  return name + " = FakeQuantize(" + value + ", %" + name + ".scale, %" + name + ".zero_point, %" + name +
         ".range_min, %" + name + ".range_max, %" + name + ".steps) method=\"ema\" " + attributes + "\n";
}

/// A convolution (or `layer`) of 4 channels with batch-norm on x, and what follows it.
Graph folded(const std::string& lines, const std::string& more = "", const std::string& weight = "4,4,3,3") {
  const std::string grid = more.find("axis=-1") == std::string::npos ? "float[4] fixed\n" : "float[] fixed\n";
  auto graph =
      network("graph g(x: float[N,4" + std::string(weight == "4,4" ? "" : ",6,7") +
              "]) -> (y = y)\nparameter w: float[" + weight + "]\nparameter b: float[4]\nparameter ws: " + grid +
              "parameter wz: " + grid + grid_parameters("q") + grid_parameters("r") + batch_norm_parameters("bn", 4) +
              "c = ConvBatchNormalization(x, %w, %b, %bn.gamma, %bn.beta, %bn.mean, %bn.var, %ws, %wz) bits=8 " +
              (weight == "4,4" ? "" : "pads=[1,1,1,1] ") + more + "\n" + lines);
  for (const char* name : {"q", "r"})
    for (const char* part : {"range_min", "range_max", "steps", "zero_point"})
      graph.parameter(std::string(name) + "." + part).value.zero_();
  graph.erase_unused_parameters();
  return graph;
}

const exec::Tensors kInput{image({7, 4, 6, 7})};
const std::string kFine = "bits=16 symmetric=0";

}  // namespace

TEST_CASE("folded convolution: training steps equal those of single kernels", "[exec]") {
  require_same_training(folded("y = Mul(c, x)\n"), kInput, 2);
  require_same_training(folded("y = Relu(c)\n"), kInput, 1);
  require_same_training(folded("y = Clip(c) min=-0.5 max=0.5\n"), kInput, 1);
  require_same_training(folded("y = Add(c, x)\n"), kInput, 1);
  require_same_training(folded("s = Add(x, c)\ny = Relu(s)\n"), kInput, 1);
  require_same_training(folded("y = Relu(c)\n", "axis=-1"), kInput, 1);
}

TEST_CASE("folded convolution: the quantiser behind it rounds in the same pass", "[exec]") {
  require_same_training(folded("r1 = Relu(c)\n" + quantiser("q", "r1", kFine) + "y = Mul(q, x)\n"), kInput, 2, 3e-4);
  require_same_training(folded("r1 = Clip(c) min=0 max=0.8\n" + quantiser("q", "r1", kFine) + "y = Mul(q, x)\n"),
                        kInput, 2, 3e-4);
  require_same_training(folded(quantiser("q", "c", "bits=16") + "y = Mul(q, x)\n"), kInput, 2, 3e-4);
}

TEST_CASE("folded convolution: on few levels it is at most one step and the gradients of that away", "[exec]") {
  const auto graph = folded("r1 = Relu(c)\n" + quantiser("q", "r1", "bits=4 symmetric=0") + "y = Flatten(q)\n");
  const auto fused = train_step(graph, kInput, true)[0], plain = train_step(graph, kInput, false)[0];
  const double step = plain.max().item<double>() / 15;
  REQUIRE(fused.sub(plain).abs().max().item<double>() <= step * 1.001);
  REQUIRE(fused.sub(plain).abs().gt(step / 2).sum().item<int64_t>() <= 3);
}

TEST_CASE("folded convolution: a linear layer with batch-norm fuses too", "[exec]") {
  require_same_training(
      folded("r1 = Relu(c)\n" + quantiser("q", "r1", kFine) + "y = Mul(q, x)\n", "layer=\"Gemm\"", "4,4"),
      {image({9, 4})}, 2, 3e-4);
}

TEST_CASE("folded convolution: what its loops do not take stays apart", "[exec]") {
  // a scheme of two convolutions, statistics that stay, a quantiser per channel
  require_same_training(folded("y = Relu(c)\n", "scheme=\"exact\""), kInput, 2);
  require_same_training(folded("y = Relu(c)\n", "frozen=1"), kInput, 2);
  const auto graph = folded("y = Relu(c)\n");
  const exec::Plan frozen(graph, {.mode = ops::Mode::train, .frozen = {"c"}});
  REQUIRE(step_count(frozen) == 2);
}
