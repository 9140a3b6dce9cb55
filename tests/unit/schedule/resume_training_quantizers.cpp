// Every quantiser that trains, beside pruning and distillation: interrupted training ends with the same bits, and what
// a layer multiplies by is exactly zero where it is masked.
#include "exec/plan.h"
#include "quant/quantizer.h"
#include "unit/quant/training/presets.h"
#include "unit/schedule/resume.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

std::string recipe_of_preset(const compress::test::Preset& preset) {
  auto quantizer = preset.yaml;
  quantizer.insert(1, "class: " + preset.name + ", ");
  return R"(
training: {epochs: 4, optimizer: {class: SGD, lr: 0.01, momentum: 0.9, weight_decay: 0.0001}}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 64, validation: 32}, prefetch: 0}
pruners:
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.6, weights: [conv1.weight, conv2.weight, fc.weight]}
distillers:
  teacher: {class: KnowledgeDistillation, teacher: self, teacher_epoch: 0}
quantizers:
  q: )" + quantizer +
         R"(
policies:
  - {distiller: {instance_name: teacher}, starting_epoch: 1, ending_epoch: 4}
  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 3}
  - {quantizer: {instance_name: q}, starting_epoch: 1, ending_epoch: 4}
)";
}

/// What the layer multiplies by, once training has ended.
at::Tensor deployed_weight(const Graph& trained, const std::string& layer) {
  auto graph = trained.clone();
  quant::finish(graph);
  const auto* quantizer = graph.producer(graph.node(layer).inputs[1]);
  REQUIRE(quantizer != nullptr);
  std::vector<at::Tensor> inputs;
  for (const auto& name : quantizer->inputs) inputs.push_back(graph.parameter(name).value.detach());
  return exec::run_node(*quantizer, inputs)[0];
}

}  // namespace

TEST_CASE("resume: with every quantiser that trains, pruning and distillation", "[schedule]") {
  for (const auto& preset : compress::test::training_presets()) {
    INFO(preset.name << " " << preset.yaml);
    const auto trained = require_exact_resume(recipe_of_preset(preset), small_network);
    for (const std::string layer : {"conv1", "conv2", "fc"}) {
      const auto& parameter = trained.parameter(layer + ".weight");
      REQUIRE(parameter.mask.defined());
      const auto masked = parameter.mask.eq(0);
      REQUIRE(masked.sum().item<int64_t>() > masked.numel() / 2);
      REQUIRE(deployed_weight(trained, layer).masked_select(masked).eq(0).all().item<bool>());
    }
  }
}
