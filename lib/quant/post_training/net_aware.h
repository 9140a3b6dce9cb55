#pragma once

#include "quant/statistics/statistics_file.h"

#include <map>
#include <string>

namespace compress::quant {

/// The part of a value's range that its readers can tell apart, for the values of which they cannot tell all apart
/// (Distiller's net-aware ranges): behind it stands nothing but ReLU: [0, inf); ReLU6: [0, 6]; Tanh:
/// [-4, 4]; Sigmoid, alone or with Tanh: [-6, 6]. Readers behind Split, Slice and what only moves numbers count as
/// readers of the value. A value that some other operator reads, or that leaves the graph, has no such part, and
/// neither has one whose readers are a mix of ReLU and others.
std::map<std::string, Extremes> telling_ranges(const Graph& graph);

/// Cuts the statistics to these parts, as if calibration had seen values clipped to them. Call it before ranges are
/// chosen.
void make_net_aware(const Graph& graph, Statistics& statistics);

}  // namespace compress::quant
