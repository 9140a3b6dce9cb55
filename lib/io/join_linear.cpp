#include "io/draft.h"

#include <algorithm>
#include <set>

namespace compress::io {
namespace {

class LinearJoiner {
public:
  explicit LinearJoiner(Draft& draft) : draft_(draft) {}

  void run() {
    std::set<std::string> weights;
    for (const auto& node : draft_.nodes)
      if (is_linear(node)) weights.insert(node.inputs[1]);
    // A weight that something else reads as well stays as it is, so that it stays one.
    std::erase_if(weights, [&](const auto& weight) { return read_otherwise(weight); });
    for (auto& node : draft_.nodes) {
      if (!is_linear(node) || !weights.contains(node.inputs[1])) continue;
      node.op = "Gemm";
      node.attributes.set("transB", int64_t{1});
      take_bias(node);
    }
    for (const auto& weight : weights) draft_.constants[weight].value = draft_.constants[weight].value.t();
    std::erase_if(draft_.nodes, [](const DraftNode& node) { return node.outputs.empty(); });
  }

private:
  int64_t rank_of(const std::string& value) const {
    const auto shape = draft_.shapes.find(value);
    return shape == draft_.shapes.end() ? -1 : static_cast<int64_t>(shape->second.first.size());
  }

  bool is_weight(const std::string& value) const {
    const auto constant = draft_.constants.find(value);
    return constant != draft_.constants.end() && constant->second.value.dim() == 2;
  }

  bool is_linear(const DraftNode& node) const {
    return node.op == "MatMul" && is_weight(node.inputs[1]) && rank_of(node.inputs[0]) == 2 &&
           !draft_.constants.contains(node.inputs[0]);
  }

  bool read_otherwise(const std::string& weight) const {
    if (std::ranges::find(draft_.output_values, weight) != draft_.output_values.end()) return true;
    return std::ranges::any_of(draft_.nodes, [&](const DraftNode& node) {
      return std::ranges::find(node.inputs, weight) != node.inputs.end() && !is_linear(node);
    });
  }

  /// The only reader of the product, when it adds one number per column: its node disappears.
  void take_bias(DraftNode& gemm) {
    if (draft_.readers(gemm.outputs[0]) != 1) return;
    const auto add = std::ranges::find_if(draft_.nodes, [&](const DraftNode& node) {
      return node.op == "Add" && !node.inputs.empty() &&
             (node.inputs[0] == gemm.outputs[0] || node.inputs[1] == gemm.outputs[0]);
    });
    if (add == draft_.nodes.end()) return;
    const auto bias = add->inputs[0] == gemm.outputs[0] ? add->inputs[1] : add->inputs[0];
    const auto constant = draft_.constants.find(bias);
    const auto columns = draft_.constants.at(gemm.inputs[1]).value.size(1);  // not yet transposed
    if (constant == draft_.constants.end() || constant->second.value.numel() != columns) return;
    auto& value = constant->second.value;
    const bool is_row = value.dim() == 2 && value.size(0) == 1 && draft_.readers(bias) == 1;
    if (value.dim() != 1 && !is_row) return;
    value = value.flatten();
    gemm.inputs.push_back(bias);
    gemm.outputs = std::exchange(add->outputs, {});
    add->inputs.clear();
  }

  Draft& draft_;
};

}  // namespace

void join_linear(Draft& draft) {
  LinearJoiner(draft).run();
}

}  // namespace compress::io
