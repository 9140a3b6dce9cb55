#pragma once

#include "core/registry.h"
#include "ops/quantization_grid.h"

#include <string>
#include <vector>

/// Scales and ranges for runtimes that quantise by themselves: one file beside the model, in the form that each reads.
namespace compress::quant {

/// One quantiser of a network.
struct Encoding {
  std::string name;  ///< of the value or parameter, as the model's file calls it
  std::string node;  ///< the FakeQuantize
  bool parameter = false;
  ops::GridSpec spec;
  ops::GridAxes axes;
  ops::Grid grid;
};

/// What a writer may look at.
struct EncodedModel {
  const Graph& graph;  ///< finished, with its FakeQuantize nodes
  std::vector<Encoding> encodings;
};

/// `finished`: see finish(). `deployed`: what is written, whose outputs bear the names of the outside.
EncodedModel encoded_model(const Graph& finished, const Graph& deployed);

/// A form of such files. One file in lib/quant/encodings and one line in encodings.def each.
class EncodingsWriter {
public:
  virtual ~EncodingsWriter() = default;
  /// What follows the model's name without its extension: "model" + ".encodings".
  virtual std::string suffix() const = 0;
  /// Throws a request error that names the quantiser that the form cannot say.
  virtual std::string text(const EncodedModel& model) const = 0;
};
const Registry<EncodingsWriter>& encodings_writers();

/// The ends of a grid of integers as real numbers, one for each scale, double precision.
ops::ValueRange real_range(const Encoding& encoding);

/// Throws a request error unless the grid has integers of `bits` bits (0: any number of them), without groups.
void require_integers(const Encoding& encoding, std::string_view form, int bits = 0);

}  // namespace compress::quant
