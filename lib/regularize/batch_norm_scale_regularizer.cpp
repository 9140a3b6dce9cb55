#include "core/text.h"
#include "regularize/parameter_terms.h"

#include <algorithm>
#include <set>

namespace compress::regularize {

namespace {

/// Where a batch-norm has its scale among the node's inputs; -1 for other nodes.
int scale_input(const Node& node) {
  if (node.op == "BatchNormalization") return 1;
  if (node.op == "ConvBatchNormalization") return 3;
  return -1;
}

/// The scales (gamma) of all batch-norms, by name.
std::set<std::string> batch_norm_scales(const Graph& graph) {
  std::set<std::string> scales;
  for (const Node& node : graph.nodes()) {
    const int input = scale_input(node);
    if (input < 0 || !node.has_input(static_cast<size_t>(input))) continue;
    const Parameter* scale = graph.find_parameter(node.inputs[static_cast<size_t>(input)]);
    if (scale && scale->trainable) scales.insert(scale->name);
  }
  return scales;
}

/// lambda * sum of |gamma| over batch-norms, found by what the graph does with them and not by their names. Liu et al.
/// 2017, Learning Efficient Convolutional Networks through Network Slimming.
class BatchNormScaleRegularizer final : public ParameterTerms {
public:
  void declare(Settings& settings) override {
    settings.required("strength", strength_, "lambda", at_least(0));
    settings.optional("weights", words_, "names or patterns of the scales (gamma) that are meant; default: all");
  }

  void bind(const Graph& graph, Problems& problems) override {
    strengths_ = {};
    const auto scales = batch_norm_scales(graph);
    if (scales.empty()) {
      problems.add(request_error("'{}' has no batch-norm with a trained scale", graph.name)
                       .hint("batch-norm that is folded into convolutions cannot be slimmed"));
      return;
    }
    for (const auto& word : words_) problems.capture([&] { add(graph, word, scales); });
    strengths_.values.assign(strengths_.names.size(), strength_);
  }

protected:
  at::Tensor term(const at::Tensor& value) const override { return value.abs().sum(); }

private:
  void add(const Graph& graph, const std::string& word, const std::set<std::string>& scales) {
    bool found = false;
    for (auto& name : select_parameters(graph, word)) {
      if (!scales.contains(name)) continue;
      found = true;
      if (std::ranges::find(strengths_.names, name) == strengths_.names.end())
        strengths_.names.push_back(std::move(name));
    }
    const std::vector<std::string> known(scales.begin(), scales.end());
    if (!found)
      throw request_error("'{}' is no scale of a batch-norm of '{}'", word, graph.name).hint(did_you_mean(word, known));
  }

  double strength_ = 0;
  std::vector<std::string> words_{"*"};
};

}  // namespace

extern const Entry<Regularizer> batch_norm_scale_regularizer;
const Entry<Regularizer> batch_norm_scale_regularizer{
    "BatchNormScaleRegularizer",
    "network slimming: adds lambda times the magnitudes of all batch-norm scales (gamma) to the loss",
    make_component<Regularizer, BatchNormScaleRegularizer>};

}  // namespace compress::regularize
