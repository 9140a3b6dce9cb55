#include "ops/op.h"
#include "passes/pass.h"

#include <vector>

namespace compress::passes {

namespace {

/// nnieqat's unquant_weight: the weights as they were before quant_dequant_weight, or as training has left them since.
class UnquantWeight final : public Pass {
public:
  bool compresses() const override { return false; }

  Changes run(Graph& graph) override {
    std::vector<std::string> quantizers;
    for (const auto& node : graph.nodes())
      if (node.op == "FakeQuantize" && node.attributes.text("format", "integer") == "gfpq" &&
          graph.find_parameter(node.inputs[0]) != nullptr)
        quantizers.push_back(node.name);
    Changes changes;
    for (const auto& name : quantizers) {
      const auto inputs = graph.node(name).inputs;
      graph.replace_uses(name, inputs[0]);
      graph.erase(name);
      ++changes.nodes_changed;
      for (size_t i = 1; i < inputs.size(); ++i) {
        if (!graph.consumers(inputs[i]).empty()) continue;
        graph.erase_parameter(inputs[i]);
        changes.removed.push_back(inputs[i]);
      }
    }
    return changes;
  }
};

}  // namespace

extern const Entry<Pass> unquant_weight{"unquant_weight", "takes back what quant_dequant_weight did (nnieqat's)",
                                        make_component<Pass, UnquantWeight>};

}  // namespace compress::passes
