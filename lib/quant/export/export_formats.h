#pragma once

#include "graph/graph.h"

#include <span>
#include <string>
#include <string_view>

namespace compress::quant {

/// A form of model files.
struct ExportFormat {
  std::string_view name;  ///< as in recipes and on the command line
  std::string_view doc;
  bool integers = false;  ///< the file computes with the integers of the grids
  /// What is written of a quantised graph; null: the format is for networks without quantisers.
  Graph (*lower)(const Graph& graph, int opset) = nullptr;
};

std::span<const ExportFormat> export_formats();

/// Throws a request error with the nearest name.
const ExportFormat& export_format(std::string_view name);

/// "NAME: what it is; ..." of all formats, for help texts.
std::string export_format_help();

}  // namespace compress::quant
