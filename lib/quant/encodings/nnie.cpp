#include "ops/gfpq.h"
#include "ops/grid_format.h"
#include "quant/encodings/encodings.h"

#include <nlohmann/json.hpp>

#include <algorithm>

/// The gfpq_param_dict of HiSilicon's NNIE mapper: for each layer the largest number of each input's GFPQ grid, in
/// MQBench's JSON. Layers that the mapper takes no parameters for are left out: those that it joins to others, and
/// convolutions in groups.
namespace compress::quant {
namespace {

constexpr std::string_view kWithoutParameters[] = {"Clip", "Flatten", "GlobalAveragePool", "Mul",    "PRelu",
                                                   "Relu", "Reshape", "Sigmoid",           "Softmax"};

bool takes_parameters(const Node& node) {
  if (node.op == "FakeQuantize" || (node.op == "Conv" && node.attributes.integer("group", 1) != 1)) return false;
  return std::ranges::find(kWithoutParameters, node.op) == std::end(kWithoutParameters);
}

double largest_number(const Encoding& encoding) {
  if (encoding.spec.format != ops::GridFormat::gfpq)
    throw request_error("NNIE works with the grid 'gfpq', but '{}' is on the grid '{}'", encoding.name,
                        ops::word_of(encoding.spec.format))
        .hint("quantise with `runtime: nnie`");
  const auto mark = ops::mark_of_scale(encoding.grid.scale, encoding.spec.bits);
  return ops::gfpq_levels(mark, encoding.spec.bits).select(0, -1).item<double>();
}

class NnieEncodings final : public EncodingsWriter {
public:
  std::string suffix() const override { return "_gfpq_param_dict.json"; }

  std::string text(const EncodedModel& model) const override {
    auto layers = nlohmann::ordered_json::object();
    for (const Node& node : model.graph.nodes()) {
      if (!takes_parameters(node)) continue;
      auto clips = nlohmann::ordered_json::array();
      for (const auto& input : node.inputs) {
        const auto found = std::ranges::find(model.encodings, input, &Encoding::node);
        if (found != model.encodings.end() && !found->parameter) clips.push_back(largest_number(*found));
      }
      if (!clips.empty()) layers[node.name] = std::move(clips);
    }
    return nlohmann::ordered_json{{"nnie", {{"gfpq_param_dict", layers}}}}.dump(2) + "\n";
  }
};

}  // namespace

extern const Entry<EncodingsWriter> nnie_encodings;
const Entry<EncodingsWriter> nnie_encodings{"nnie", "the NNIE mapper's gfpq_param_dict (JSON): ends of the GFPQ grids",
                                            make_component<EncodingsWriter, NnieEncodings>};

}  // namespace compress::quant
