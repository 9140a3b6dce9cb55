#include "quant/post_training/calibration_loss.h"

#include "core/error.h"
#include "train/outputs.h"
#include "train/samples.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::quant {

train::KeptSamples labelled_samples(const Calibration& calibration, int64_t count, int64_t batch_size) {
  if (!calibration.samples || calibration.task == nullptr)
    throw request_error("the loss of the task needs training samples with labels, and there are none");
  if (calibration.samples->size() == 0) throw request_error("there are no training samples to calibrate on");
  return {train::training_samples(calibration.samples, count, calibration.seed),
          *calibration.task,
          {.batch_size = batch_size,
           .device = calibration.device,
           .inputs = calibration.inputs,
           .purpose = "the search for clips"}};
}

CalibrationLoss::CalibrationLoss(const Graph& graph, const train::KeptSamples& samples)
    : graph_(graph), samples_(samples), plan_(graph) {
  size_t place = 0;
  for (const Node& node : graph.nodes()) places_[node.name] = place++;
}

size_t CalibrationLoss::place(std::string_view node) const {
  const auto found = places_.find(std::string(node));
  if (found == places_.end()) throw request_error("graph '{}' has no node '{}'", graph_.name, node);
  return found->second;
}

void CalibrationLoss::changed(std::span<const std::string> parameters) {
  plan_.refresh(graph_, parameters);
  size_t first = places_.size();
  for (const auto& name : parameters)
    for (const auto* reader : graph_.consumers(name)) first = std::min(first, place(reader->name));
  forget_behind(first);
}

/// What was kept before a node behind this place.
void CalibrationLoss::forget_behind(size_t place) {
  const auto nodes = kept_.nodes();
  if (std::ranges::any_of(nodes, [&](const std::string& node) { return this->place(node) > place; })) kept_.clear();
}

CalibrationLoss::Result CalibrationLoss::result_of(const train::Meter& meter) const {
  const auto metrics = train::result_of(meter);
  return {.loss = train::metric(metrics, "loss"), .metric = train::metric(metrics, samples_.task().main_metric())};
}

CalibrationLoss::Result CalibrationLoss::evaluate() {
  const at::NoGradGuard no_grad;
  const auto meter = samples_.task().meter();
  samples_.each(graph_, [&](const train::KeptSamples::Prepared& prepared) {
    meter->add(train::named_outputs(graph_, plan_.run(prepared.inputs)), prepared.batch);
  });
  return result_of(*meter);
}

CalibrationLoss::Result CalibrationLoss::evaluate_from(const std::string& node) {
  const at::NoGradGuard no_grad;
  forget_behind(place(node));
  const auto meter = samples_.task().meter();
  size_t batch = 0;
  samples_.each(graph_, [&](const train::KeptSamples::Prepared& prepared) {
    const auto* live = kept_.before(node, plan_, batch++, prepared.inputs);
    auto outputs = live ? plan_.run_from(node, *live) : plan_.run(prepared.inputs);
    meter->add(train::named_outputs(graph_, std::move(outputs)), prepared.batch);
  });
  return result_of(*meter);
}

void CalibrationLoss::watch_input(const std::string& node, const std::function<void(const at::Tensor&)>& consume) {
  const at::NoGradGuard no_grad;
  forget_behind(place(node));
  const auto& input = graph_.node(node).inputs.at(0);
  size_t batch = 0;
  samples_.each(graph_, [&](const train::KeptSamples::Prepared& prepared) {
    const auto* kept = kept_.before(node, plan_, batch++, prepared.inputs);
    const auto live = kept ? *kept : plan_.run_until(node, prepared.inputs);
    const auto found = std::ranges::find(live.values, input, &std::pair<std::string, at::Tensor>::first);
    if (found == live.values.end()) throw run_error("node '{}' reads no value that depends on the samples", node);
    consume(found->second);
  });
}

}  // namespace compress::quant
