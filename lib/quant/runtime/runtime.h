#pragma once

#include "core/registry.h"
#include "quant/rules/layer_rules.h"

#include <string_view>

namespace compress::quant {

/// What a runtime computes with integers: the grids that it takes, as a preset for quantisers. One file in
/// lib/quant/runtime and one line in runtimes.def each.
class Runtime {
public:
  virtual ~Runtime() = default;
  /// For `compress explain`; a runtime has no arguments.
  void declare(Settings&) {}

  /// The grids of values, weights and biases. Its bits are those of the preset.
  virtual LayerRule rule() const = 0;
  /// The operators with a quantised form, with spaces between them; the others stay in floating point.
  virtual std::string_view operators() const = 0;
  /// Whether a constant that is added or multiplied is on a grid too.
  virtual bool constant_operands() const { return true; }

  bool quantises(std::string_view op) const;
};
const Registry<Runtime>& runtimes();

/// One warning line that names the operators of a quantised graph which compute in floating point because they have no
/// quantised form in the runtime, or none at all.
void warn_of_floating_operators(const Graph& graph, const Runtime& runtime, std::string_view name);

}  // namespace compress::quant
