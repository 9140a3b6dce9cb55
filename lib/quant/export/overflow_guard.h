#pragma once

#include "analysis/accumulation.h"
#include "graph/graph.h"

#include <string>
#include <string_view>
#include <vector>

/// Kernels for bytes on x86 without VNNI add two products in 16 bits and saturate (ONNX Runtime's for signed weights:
/// convolutions but depthwise ones, matrix products). The guard finds the layers whose weights allow that, and changes
/// them so that no data can.
namespace compress::quant {

enum class OverflowGuard {
  automatic,  ///< unsigned_weights; off for the presets of other runtimes than ONNX Runtime (metadata kRuntimeKey)
  off,
  warn,             ///< says which layers
  seven_bits,       ///< weights of these layers on a grid of 7 bits: sums fit, and the kernel stays the fast one
  unsigned_weights  ///< their integers are stored as unsigned bytes around 128: the same numbers, in a kernel without
                    ///< sums of 16 bits
};

/// Metadata of a graph: the preset that its quantiser was given.
inline constexpr const char* kRuntimeKey = "quantization.runtime";

inline constexpr const char* kOverflowGuardDoc =
    "layers whose byte sums can overflow 16 bits on x86 without VNNI: off; warn; seven_bits puts their weights on 7 "
    "bits; unsigned_weights stores the same numbers in unsigned bytes; auto: unsigned_weights, and off for presets of "
    "other runtimes than onnxruntime";

/// The words of recipes and flags, with their meaning.
std::vector<std::pair<std::string, OverflowGuard>> overflow_guards();
/// Throws a request error with the nearest word.
OverflowGuard overflow_guard(std::string_view word);

struct GuardReport {
  OverflowGuard mode = OverflowGuard::off;     ///< what was done; never `automatic`
  std::vector<analysis::Accumulation> layers;  ///< those that could overflow
  Changes changes;
  std::string text;  ///< one line for a person; empty when no layer could overflow
};

/// Looks at the simulated quantisers of a graph and acts as told. Throws a request error when seven_bits meets a layer
/// whose weights' quantiser is not fixed.
GuardReport guard_overflow(Graph& graph, OverflowGuard mode);

/// The same, which logs the line: as a warning when layers are left as they are.
Changes guard_overflow_aloud(Graph& graph, OverflowGuard mode);

}  // namespace compress::quant
