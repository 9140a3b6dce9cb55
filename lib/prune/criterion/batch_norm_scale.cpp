// Network slimming (Liu et al. 2017, arXiv 1708.06519): the factor that batch-norm gives a channel says what it is
// worth.
#include "analysis/weight.h"
#include "prune/criterion.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

namespace {

/// The gamma behind a weight's layer. Throws a request error when there is none.
const Parameter& gamma_behind(const Graph& graph, const std::string& weight) {
  for (const Node& layer : graph.nodes()) {
    const auto* own = analysis::weight_of(graph, layer);
    if (!own || own->name != weight) continue;
    if (layer.op == "ConvBatchNormalization") return graph.parameter(layer.inputs[3]);
    const auto readers = graph.consumers(layer.output());
    if (readers.size() == 1 && readers.front()->op == "BatchNormalization")
      return graph.parameter(readers.front()->inputs[1]);
    throw request_error("batch_norm_scale needs a batch-norm behind '{}', and nothing else that reads it", layer.name)
        .hint(fmt::format("leave '{}' out of 'weights', or choose another criterion", weight));
  }
  throw request_error("batch_norm_scale: '{}' is no weight of a convolution or linear layer", weight);
}

class BatchNormScale final : public Criterion {
public:
  void bind(const Graph& graph,
            const std::vector<std::string>& parameters,
            const analysis::Granularity& granularity,
            Problems& problems) override {
    if (!granularity.by_layer() || granularity.axis() != 0)
      return problems.add(request_error("batch_norm_scale judges filters").hint("granularity: filter"));
    for (const auto& weight : parameters) problems.capture([&] { gamma_behind(graph, weight); });
  }
  at::Tensor strengths(const Candidate& candidate) const override {
    return gamma_behind(candidate.graph, candidate.parameter).value.detach().abs();
  }
};

}  // namespace

extern const Entry<Criterion> batch_norm_scale_criterion;
const Entry<Criterion> batch_norm_scale_criterion{
    "batch_norm_scale", "magnitude of the factor that the batch-norm behind gives the filter (network slimming)",
    make_component<Criterion, BatchNormScale>};

}  // namespace compress::prune
