#include "quant/report/sensitivity.h"

#include "exec/plan.h"
#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

using namespace compress;
using namespace compress::test;

namespace {

Graph quantised() {
  auto graph = filled_graph(kResidual);
  quantize(graph, "PostTrainMinMaxQuantizer", "{overrides: {conv2: {bits_weights: 2}}}",
           calibration_of({random_tensor({16, 3, 8, 8}, 5)}));
  quant::finish(graph);
  return graph;
}

/// Random images, all of class 0.
class Images final : public data::Dataset {
public:
  int64_t size() const override { return 24; }
  std::vector<data::FieldInfo> fields() const override { return {{"image", {3, 8, 8}}, {"label", {}, at::kLong, 5}}; }
  data::Batch batch(std::span<const int64_t> indices, const data::Draw&) const override {
    data::Batch batch;
    batch.size = std::ssize(indices);
    batch.fields["image"] = random_tensor({24, 3, 8, 8}, 6).slice(0, indices.front(), indices.back() + 1).contiguous();
    batch.fields["label"] = at::zeros({batch.size}, at::kLong);
    return batch;
  }
};

quant::Sensitivity measured(const Graph& graph) {
  const auto task = train::make_task(Yaml(), "classification");
  const auto images = std::make_shared<Images>();
  task->bind(graph, images->fields());
  const train::KeptSamples samples(images, *task, {.batch_size = 10});
  return quant::measure_sensitivity(graph, samples);
}

}  // namespace

TEST_CASE("sensitivity: without quantisers it is the network in floating point, with all it is the quantised one") {
  const auto graph = quantised();
  const auto x = random_tensor({4, 3, 8, 8}, 8);
  const auto all = quant::with_quantizers(graph, [](const auto&) { return true; });
  REQUIRE(at::equal(evaluated(all, x), evaluated(graph, x)));
  const auto none = quant::with_quantizers(graph, [](const auto&) { return false; });
  for (const auto& node : none.nodes()) REQUIRE(node.op != "FakeQuantize");
  REQUIRE(none.find_parameter("conv1.weight.quantizer.scale") == nullptr);
  REQUIRE((evaluated(none, x) - evaluated(filled_graph(kResidual), x)).abs().max().item<double>() < 1e-4);
}

TEST_CASE("sensitivity: the layer of 2 bits costs most alone, and leaving it out gains most") {
  const auto result = measured(quantised());
  REQUIRE(result.metric == "top1");
  REQUIRE(result.layers.size() >= 4);
  const quant::LayerSensitivity* conv2 = nullptr;
  for (const auto& layer : result.layers)
    if (layer.layer == "conv2") conv2 = &layer;
  REQUIRE(conv2 != nullptr);
  REQUIRE(conv2->quantizers ==
          std::vector<std::string>{"conv2.bias.quantizer", "conv2.weight.quantizer", "relu1.quantizer"});
  for (const auto& layer : result.layers) {
    REQUIRE(layer.only.sqnr >= conv2->only.sqnr);
    REQUIRE(layer.without.sqnr <= conv2->without.sqnr);
  }
  REQUIRE(conv2->only.sqnr < result.all.sqnr + 3);
  REQUIRE(conv2->without.sqnr > result.all.sqnr + 10);
  REQUIRE(result.weights.sqnr < result.activations.sqnr);
  REQUIRE(result.floating_point >= 0);
  REQUIRE(result.floating_point <= 100);
}

TEST_CASE("sensitivity: a model in floating point has none") {
  require_error([] { measured(filled_graph(kResidual)); }, "the model has no simulated quantisers",
                "compress quantize");
}
