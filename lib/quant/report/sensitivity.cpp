#include "quant/report/sensitivity.h"

#include "analysis/difference.h"
#include "core/progress.h"
#include "exec/plan.h"
#include "ops/quantization_role.h"
#include "train/outputs.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <set>

namespace compress::quant {

namespace {

/// What the reference's outputs may take; beyond, they are computed again for each variant.
constexpr int64_t kMostKeptBytes = int64_t{1} << 28;

using Names = std::set<std::string>;

/// The quantisers of a value, seen from a reader: looks through what only moves numbers.
void collect_quantizers(const Graph& graph, const std::string& value, Names& found) {
  const auto* producer = graph.producer(value);
  if (producer == nullptr) return;
  if (producer->op == "FakeQuantize") {
    found.insert(producer->name);
    return;
  }
  if (ops::quantization_role(*producer) != ops::Quantization::same_grid) return;
  for (const auto& input : producer->inputs) collect_quantizers(graph, input, found);
}

Names quantizers_of(const Graph& graph, const Node& node) {
  Names found;
  for (const auto& input : node.inputs)
    if (!input.empty()) collect_quantizers(graph, input, found);
  return found;
}

bool is_layer(const Node& node) {
  const auto role = ops::quantization_role(node);
  return role != ops::Quantization::same_grid && role != ops::Quantization::quantizer;
}

/// Evaluates variants of a network against it in floating point.
class VariantMeter {
public:
  VariantMeter(const Graph& graph, const train::KeptSamples& samples)
      : graph_(graph), samples_(samples), floating_(with_quantizers(graph, [](const auto&) { return false; })),
        plan_(floating_) {
    const at::NoGradGuard no_grad;
    const auto meter = samples.task().meter();
    samples_.each(floating_, [&](const train::KeptSamples::Prepared& batch) {
      auto outputs = plan_.run(batch.inputs);
      meter->add(train::named_outputs(floating_, outputs), batch.batch);
      bytes_ += static_cast<int64_t>(outputs[0].nbytes());
      if (bytes_ <= kMostKeptBytes) kept_.push_back(outputs[0]);
    });
    metric_ = metric_of(*meter);
  }

  double floating_point() const { return metric_; }

  Effect effect(const std::function<bool(const std::string&)>& keeps) const {
    const at::NoGradGuard no_grad;
    const auto variant = with_quantizers(graph_, keeps);
    const exec::Plan plan(variant);
    const auto meter = samples_.task().meter();
    analysis::Difference difference;
    size_t index = 0;
    samples_.each(variant, [&](const train::KeptSamples::Prepared& batch) {
      const auto outputs = plan.run(batch.inputs);
      difference.add(index < kept_.size() ? kept_[index] : plan_.run(batch.inputs)[0], outputs[0]);
      meter->add(train::named_outputs(variant, outputs), batch.batch);
      ++index;
    });
    return {.sqnr = difference.sqnr(), .metric = metric_of(*meter)};
  }

private:
  double metric_of(const train::Meter& meter) const {
    return train::metric(train::result_of(meter), samples_.task().main_metric());
  }

  const Graph& graph_;
  const train::KeptSamples& samples_;
  Graph floating_;
  exec::Plan plan_;
  std::vector<at::Tensor> kept_;  ///< the first outputs, batch by batch
  int64_t bytes_ = 0;
  double metric_ = 0;
};

std::vector<LayerSensitivity> sensitive_layers(const Graph& graph) {
  std::vector<LayerSensitivity> layers;
  for (const auto& node : graph.nodes()) {
    if (!is_layer(node)) continue;
    const auto quantizers = quantizers_of(graph, node);
    if (!quantizers.empty())
      layers.push_back({.layer = node.name, .op = node.op, .quantizers = {quantizers.begin(), quantizers.end()}});
  }
  return layers;
}

bool rounds_constant(const Graph& graph, const std::string& quantizer) {
  return graph.find_parameter(graph.node(quantizer).inputs[0]) != nullptr;
}

}  // namespace

Graph with_quantizers(const Graph& graph, const std::function<bool(const std::string& quantizer)>& keeps) {
  auto copy = graph.clone();
  Names left_out;
  for (const auto& node : graph.nodes())
    if (node.op == "FakeQuantize" && !keeps(node.name)) left_out.insert(node.name);
  for (const auto& name : left_out) {
    copy.replace_uses(name, copy.node(name).inputs[0]);
    copy.erase(name);
  }
  copy.erase_unused_parameters();
  return copy;
}

Sensitivity measure_sensitivity(const Graph& graph, const train::KeptSamples& samples) {
  Sensitivity result{.metric = samples.task().main_metric(), .layers = sensitive_layers(graph)};
  if (result.layers.empty())
    throw request_error("the model has no simulated quantisers").hint("quantise it first: compress quantize");
  const VariantMeter meter(graph, samples);
  result.floating_point = meter.floating_point();
  result.all = meter.effect([](const auto&) { return true; });
  result.weights = meter.effect([&](const auto& name) { return rounds_constant(graph, name); });
  result.activations = meter.effect([&](const auto& name) { return !rounds_constant(graph, name); });
  Progress progress("sensitivity", std::ssize(result.layers));
  int64_t done = 0;
  for (auto& layer : result.layers) {
    const Names own(layer.quantizers.begin(), layer.quantizers.end());
    layer.only = meter.effect([&](const auto& name) { return own.contains(name); });
    layer.without = meter.effect([&](const auto& name) { return !own.contains(name); });
    progress.update(++done);
  }
  return result;
}

}  // namespace compress::quant
