#include "quant/encodings/encodings.h"

#include "ops/grid_format.h"
#include "quant/export/accumulators.h"

#include <algorithm>

namespace compress::quant {

#define ENTRY(name) extern const Entry<EncodingsWriter> name##_encodings;
#include "quant/encodings/encodings.def"
#undef ENTRY

const Registry<EncodingsWriter>& encodings_writers() {
#define ENTRY(name) &name##_encodings,
  static constexpr const Entry<EncodingsWriter>* kEntries[] = {
#include "quant/encodings/encodings.def"
  };
#undef ENTRY
  static constexpr Registry<EncodingsWriter> kRegistry("form of encodings", kEntries);
  return kRegistry;
}

EncodedModel encoded_model(const Graph& finished, const Graph& deployed) {
  EncodedModel model{.graph = finished, .encodings = {}};
  for (const Node& node : finished.nodes()) {
    if (node.op != "FakeQuantize") continue;
    // Found anew in each call; and what no runtime is told.
    if (node.attributes.text("method", "fixed") == "dynamic" || is_accumulator(node)) continue;
    const auto outside = std::ranges::find(deployed.outputs, node.inputs[0], &GraphOutput::value);
    model.encodings.push_back(
        {.name = outside == deployed.outputs.end() ? node.inputs[0] : outside->name,
         .node = node.name,
         .parameter = finished.find_parameter(node.inputs[0]) != nullptr,
         .spec = ops::grid_spec(node),
         .axes = ops::grid_axes(node),
         .grid = {finished.parameter(node.inputs[1]).value, finished.parameter(node.inputs[2]).value}});
  }
  return model;
}

ops::ValueRange real_range(const Encoding& encoding) {
  const auto scale = encoding.grid.scale.to(at::kDouble).flatten();
  const auto zero_point = encoding.grid.zero_point.to(at::kDouble).flatten();
  return {scale.mul(zero_point.neg().add(encoding.spec.low())), scale.mul(zero_point.neg().add(encoding.spec.high()))};
}

void require_integers(const Encoding& encoding, std::string_view form, int bits) {
  if (!encoding.spec.is_integer())
    throw request_error("{} cannot say that '{}' is on the grid '{}'", form, encoding.name,
                        ops::word_of(encoding.spec.format));
  if (encoding.axes.group_size > 0)
    throw request_error("{} cannot say that '{}' has a scale for each group of {} channels", form, encoding.name,
                        encoding.axes.group_size)
        .hint("quantise with a scale per channel, or export as onnx-qdq, which has groups");
  if (bits != 0 && encoding.spec.bits != bits)
    throw request_error("{} has {} bits, but '{}' has {}", form, bits, encoding.name, encoding.spec.bits);
}

}  // namespace compress::quant
