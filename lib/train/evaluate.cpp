#include "core/interrupt.h"
#include "core/progress.h"
#include "data/loader.h"
#include "exec/plan.h"
#include "train/outputs.h"
#include "train/trainer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>

namespace compress::train {

namespace {

/// The graph itself, or a copy of it that is on the device.
std::optional<Graph> copy_on_device(const Graph& graph, at::Device device) {
  if (std::ranges::all_of(graph.parameters(), [&](const Parameter& p) { return p.value.device() == device; }))
    return {};
  Graph copy = graph.clone();
  exec::prepare_parameters(copy, device);
  return copy;
}

}  // namespace

Evaluation
evaluate(const Graph& graph, const data::DatasetPtr& dataset, const Task& task, const EvaluateOptions& options) {
  const at::NoGradGuard no_grad;
  match_inputs(graph, dataset->fields(), options.inputs);
  const auto copy = copy_on_device(graph, options.device);
  const exec::Plan plan(copy ? *copy : graph);
  const auto meter = task.meter();
  data::Loader loader(dataset, options.batch_size, data::Order::sequential, {});
  Progress progress(options.title, loader.batches());
  Evaluation evaluation;
  const auto start = std::chrono::steady_clock::now();
  int64_t done = 0;
  for (data::Batch batch; loader.next(batch);) {
    throw_if_interrupted("the evaluation");
    task.check_batch(batch);
    const auto inputs = graph_inputs(graph, batch, options.inputs, options.device);
    meter->add(named_outputs(graph, plan.run(inputs)), to_device(batch, options.device));
    evaluation.samples += batch.size;
    progress.update(++done);
  }
  evaluation.metrics = result_of(*meter);
  evaluation.confusion = meter->confusion();
  evaluation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return evaluation;
}

}  // namespace compress::train
