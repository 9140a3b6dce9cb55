#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The zoo: one file per family of networks, each a function that builds a Graph with random weights.
namespace compress::models {

/// A network with its arguments ("lenet5?classes=100").
class Model {
public:
  virtual ~Model() = default;
  virtual void declare(Settings& settings) = 0;
  /// The initial weights follow from the seed alone.
  virtual Graph build(uint64_t seed) const = 0;
};

/// The networks that one file defines.
struct Family {
  std::vector<Entry<Model>> models;
};

const Registry<Model>& zoo();

/// "name" or "name?key=value&key=value". Throws a request error with the nearest name or argument.
Graph build_model(std::string_view spec, uint64_t seed);

/// A zoo name (as build_model), an ONNX file, or a run directory (its last checkpoint). Throws a request error that
/// lists the three.
Graph open_model(const std::string& spec, uint64_t seed);

}  // namespace compress::models
