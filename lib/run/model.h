#pragma once

#include "data/dataset.h"
#include "distill/distiller.h"
#include "graph/graph.h"
#include "schedule/recipe.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace compress::run {

/// A model of the command line as the YAML of a `model:` section: {arch: ...}, {onnx: ...} or {run: ...}.
std::string model_section(const std::string& spec);

/// Opens what the recipe's `model:` section names, loads its weights and adds the branches of `early_exits:`; what is
/// wrong with them is an error at their place in the recipe.
Graph open_model(const schedule::Recipe& recipe, const distill::OpenModel& open);

/// The recipe's task, with the graph's early exits; `otherwise` is the data set's, when the recipe names none.
std::unique_ptr<train::Task> make_task(const schedule::Recipe& recipe, const Graph& graph, std::string_view otherwise);

/// The normalisation that the model's metadata carries, if any, is taken where the configuration names none; a
/// difference to what is named warns.
void follow_normalization(const Graph& graph, data::DataConfig& config);
/// Notes the normalisation in the model's metadata, with which it travels from now on.
void note_normalization(Graph& graph, const data::Splits& splits);

}  // namespace compress::run
