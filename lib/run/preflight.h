#pragma once

#include "graph/graph.h"
#include "schedule/recipe.h"
#include "train/task.h"

#include <filesystem>

/// What can be found wrong before any data is read or anything is trained, beyond what the recipe knows of itself.
namespace compress::run {

/// Device, data set and exports: formats carry the quantisers' grids, files are writable and not the run's own. Throws
/// request errors.
void check_surroundings(const schedule::Recipe& recipe);

/// Formats for quantised models have one: the graph is quantised, or the recipe quantises it. Throws a request error.
void check_formats(const schedule::Recipe& recipe, const Graph& graph);

/// The argument in a `quantizers:` section, or one of its entries, that puts tensors on a grid for which ONNX has no
/// operators (GFPQ: `runtime: nnie`, `weights: gfpq`); null when there is none.
const Yaml* grid_without_onnx_form(const Yaml& quantizers);

/// The names in model.inputs are inputs of the graph.
void check_inputs(const schedule::Recipe& recipe, const Graph& graph);

/// What the data set's description tells of its fields fits the graph's inputs and the task; nothing is read. Throws a
/// request error.
void check_data(const schedule::Recipe& recipe, const Graph& graph);

/// The metrics that `checks:` names are metrics of the task.
void check_metrics(const schedule::ChecksConfig& checks, const train::Task& task);

/// Throws a request error when no file can be made at `path` (its folder is missing or not writable, or it is a
/// folder).
void require_writable_file(const std::filesystem::path& path);

}  // namespace compress::run
