#include "run/measure.h"

#include "analysis/cost.h"
#include "run/export.h"

#include <cmath>

namespace compress::run {

namespace {

using nlohmann::json;

}  // namespace

Measurement count(const Graph& graph) {
  const auto cost = analysis::cost(graph);
  Measurement result{.macs = cost.macs,
                     .parameters = cost.parameters,
                     .nonzero = cost.nonzero_parameters,
                     .sparsity = cost.sparsity(),
                     .weight_bytes = cost.stored_bytes,
                     .quantized = is_quantized(graph)};
  return result;
}

Measurement measure(const Graph& graph,
                    const data::DatasetPtr& dataset,
                    const std::string& split,
                    const train::Task& task,
                    const train::EvaluateOptions& options) {
  auto result = count(graph);
  const auto evaluation = train::evaluate(graph, dataset, task, options);
  result.metrics = evaluation.metrics;
  result.confusion = evaluation.confusion;
  result.exits = early_exit::exit_report(graph, result.metrics);
  result.split = split;
  result.samples = evaluation.samples;
  result.images_per_second = evaluation.seconds > 0 ? static_cast<double>(evaluation.samples) / evaluation.seconds : 0;
  return result;
}

json to_json(const Measurement& measurement) {
  json metrics = json::object();
  for (const auto& [name, value] : measurement.metrics) metrics[name] = value;
  json object{{"metrics", metrics},
              {"split", measurement.split},
              {"samples", measurement.samples},
              {"macs", measurement.macs},
              {"parameters", measurement.parameters},
              {"nonzero", measurement.nonzero},
              {"sparsity", measurement.sparsity},
              {"weight_bytes", measurement.weight_bytes},
              {"quantized", measurement.quantized}};
  if (!measurement.exits.empty()) object["early_exit"] = early_exit::to_json(measurement.exits);
  return object;
}

Measurement measurement_from_json(const json& object) {
  Measurement measurement{.split = object.at("split"),
                          .samples = object.at("samples"),
                          .macs = object.at("macs"),
                          .parameters = object.at("parameters"),
                          .nonzero = object.at("nonzero"),
                          .sparsity = object.at("sparsity"),
                          .weight_bytes = object.at("weight_bytes"),
                          .quantized = object.at("quantized")};
  for (const auto& [name, value] : object.at("metrics").items())
    measurement.metrics.emplace_back(name, value.get<double>());
  return measurement;
}

}  // namespace compress::run
