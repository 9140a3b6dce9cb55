#pragma once

#include "quant/lapq/evaluations.h"
#include "quant/post_training/calibration_loss.h"
#include "quant/post_training/quantizer_clips.h"

#include <functional>
#include <vector>

namespace compress::quant {

/// A local search (powell or an NLopt method) of few coordinates.
using SmallSearch = std::function<Outcome(Evaluations&, const Region&, const Point& start)>;

/// Moves the clips of each weighted layer, its weight's and its output's together, to where the p-norm of the error of
/// the layer's output is least, as Distiller starts LAPQ (`init_mode: L2`): the layer reads what it reads in floating
/// point, and each layer is by itself. Starts where the clips are. Clips of other values stay.
///
/// `reference` evaluates the network in floating point, folded alike; `quantised` is told of what changed. Keeps one
/// layer's inputs and outputs in memory.
void set_layer_clips(Graph& graph,
                     const std::vector<QuantizerClip>& clips,
                     CalibrationLoss& quantised,
                     CalibrationLoss& reference,
                     double p,
                     const SmallSearch& search);

}  // namespace compress::quant
