// Distiller's own tests of masks by threshold, level and sensitivity. Its tests of group thresholding are in
// unit/analysis/structure_norm.cpp.
#include "core/random.h"
#include "core/yaml.h"
#include "graph/text_form.h"
#include "prune/pruner.h"

#include <ATen/ops/ones.h>

#include <catch2/catch.hpp>

namespace compress::prune {

namespace {

Graph large_convolution(const at::Tensor& weight) {
  auto graph = parse_graph("graph g(input: float[N,64,32,32]) -> (output = conv)\nparameter conv.weight: "
                           "float[3,64,32,32]\nconv = Conv(input, %conv.weight) kernel_shape=[32,32]\n");
  graph.assign("conv.weight", weight);
  return graph;
}

at::Tensor random_weight(double (*draw)(Random&)) {
  auto weight = at::ones({3, 64, 32, 32}, at::kFloat);
  Random random(1, "thresholding");
  auto* data = weight.mutable_data_ptr<float>();
  for (int64_t i = 0; i < weight.numel(); ++i) data[i] = static_cast<float>(draw(random));
  return weight;
}

at::Tensor large_mask(const at::Tensor& weight, const std::string& name, const std::string& arguments) {
  auto graph = large_convolution(weight);
  const auto pruner = pruners().make(name);
  Settings settings;
  pruner->declare(settings);
  settings.read(parse_yaml(arguments, "recipe.yaml"), name);
  Problems problems;
  pruner->bind(graph, problems);
  problems.raise();
  pruner->set_masks(graph, {});
  return graph.parameter("conv.weight").mask;
}

double zeros_in(const at::Tensor& mask) {
  return 1 - mask.to(at::kDouble).mean().item<double>();
}

}  // namespace

TEST_CASE("thresholding: one small element among ones is the only zero of the mask", "[prune]") {
  auto weight = at::ones({3, 64, 32, 32}, at::kFloat);
  weight[1][4][17][31].fill_(0.2);
  const auto mask = large_mask(weight, "MagnitudeParameterPruner", "thresholds: {'*': 0.3}");
  REQUIRE(mask.to(at::kDouble).sum().item<double>() == 196607);
  REQUIRE(mask[1][4][17][31].item<float>() == 0);
  REQUIRE(zeros_in(mask) == Approx(5.086263020833333e-06).margin(1e-6));
}

TEST_CASE("thresholding: a level of 30 % of uniform weights", "[prune]") {
  const auto weight = random_weight([](Random& random) { return random.uniform(); });
  const auto mask = large_mask(weight, "SparsityLevelParameterPruner", "levels: {'*': 0.3}");
  REQUIRE(zeros_in(mask) == Approx(0.3).margin(1e-4));
  REQUIRE(mask.eq(0).sum().item<int64_t>() == 58982);
}

TEST_CASE("thresholding: a sensitivity of one standard deviation of normal weights", "[prune]") {
  const auto weight = random_weight([](Random& random) { return random.normal(); });
  const auto mask = large_mask(weight, "SensitivityPruner", "sensitivities: {'*': 1}");
  REQUIRE(zeros_in(mask) == Approx(0.6827).margin(0.005));
  REQUIRE(mask.to(at::kBool).equal(weight.abs().gt(weight.std().item<double>())));
}

}  // namespace compress::prune
