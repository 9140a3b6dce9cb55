#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "graph/graph.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The zoo: one file per family of networks, each a function that builds a Graph with random weights.
namespace compress::models {

/// The initial weights follow from it alone. Without one all weights are zeros that take no memory: for questions about
/// shapes, and for weights that a file replaces.
using Seed = std::optional<uint64_t>;

/// A network with its arguments ("lenet5?classes=100").
class Model {
public:
  virtual ~Model() = default;
  virtual void declare(Settings& settings) = 0;
  virtual Graph build(Seed seed) const = 0;
};

/// The networks that one file defines.
struct Family {
  std::vector<Entry<Model>> models;
};

/// An Entry's `make` for a network that is one of several of its class.
template <class T, auto... arguments>
std::unique_ptr<Model> make_model() {
  return std::make_unique<T>(arguments...);
}

const Registry<Model>& zoo();

/// "name" or "name?key=value&key=value". Throws a request error with the nearest name or argument.
Graph build_model(std::string_view spec, Seed seed);

/// A zoo name (as build_model), an ONNX file, or a run directory (its last checkpoint). Throws a request error that
/// lists the three.
Graph open_model(const std::string& spec, Seed seed);

}  // namespace compress::models
