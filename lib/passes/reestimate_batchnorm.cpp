#include "core/log.h"
#include "exec/plan.h"
#include "ops/op.h"
#include "ops/shape.h"
#include "passes/pass.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>
#include <optional>

namespace compress::passes {

namespace {

/// Which input of a node is the running mean; the variance follows. None: not a batch-norm.
std::optional<size_t> mean_input(const Node& node) {
  if (node.op == "BatchNormalization") return 3;
  if (node.op == "ConvBatchNormalization") return 5;
  return std::nullopt;
}

constexpr size_t kScaleInput =
    7;  ///< of ConvBatchNormalization: the scale of its folded weight; the zero point follows

/// Mean and squared deviations of all numbers seen, per channel, in double precision (Chan et al. 1979).
struct Moments {
  double count = 0;
  at::Tensor mean, deviations;

  /// The statistics of `n` further numbers a channel; `variance` is the unbiased one.
  void add(double n, const at::Tensor& batch_mean, const at::Tensor& variance) {
    const auto m = batch_mean.to(at::kDouble), d = variance.to(at::kDouble).mul(n - 1);
    if (count == 0) {
      mean = m.clone();
      deviations = d;
    } else {
      const auto apart = m.sub(mean);
      deviations = deviations.add(d).add(apart.square().mul(count * n / (count + n)));
      mean = mean.add(apart.mul(n / (count + n)));
    }
    count += n;
  }
  at::Tensor variance() const { return deviations.div(count - 1); }
};

/// A copy of a graph in which batches run as in training while nothing else learns or draws: batch-norms normalise with
/// the batch and leave its statistics in tensors of their own, all other nodes run as in evaluation.
class BatchStatistics {
public:
  explicit BatchStatistics(const Graph& graph) : copy_(graph.clone()) {
    copy_.own_storage();
    exec::PlanOptions options{.mode = exec::Mode::train};
    for (Node& node : copy_.nodes()) {
      const auto mean = mean_input(node);
      if (!mean) {
        options.frozen.push_back(node.name);
        continue;
      }
      norms_.push_back({node.name, node.inputs[*mean], node.inputs[*mean + 1]});
      auto& norm = norms_.back();
      const auto sizes = copy_.parameter(norm.mean).value.sizes();
      const auto like = copy_.parameter(norm.mean).value.options().requires_grad(false);
      norm.batch_mean = node.inputs[*mean] = add("batch_mean", at::zeros(sizes, like));
      norm.batch_variance = node.inputs[*mean + 1] = add("batch_variance", at::ones(sizes, like));
      node.attributes.set("momentum", 0.0);  // nothing of earlier batches
    }
    copy_.touch();
    if (norms_.empty()) return;
    exec::prepare_parameters(copy_, copy_.parameter(norms_[0].batch_mean).value.device());
    plan_.emplace(copy_, std::move(options));
  }

  bool empty() const { return norms_.empty(); }

  void add(const std::vector<at::Tensor>& inputs) {
    plan_->run(inputs);
    const auto samples = inputs.at(0).size(0);
    if (!infos_ || samples_ != samples) infos_ = ops::infer(copy_, samples_ = samples);
    for (const auto& norm : norms_) {
      const auto& shape = infos_->at(norm.node).shape;
      const auto n = ops::elements(shape) / shape.at(1);
      if (n < 2)
        throw request_error("batch-norm '{}' sees one number for each channel, of which there is no variance",
                            norm.node)
            .hint("a larger 'batch_size' or more samples");
      auto& moments = moments_[{norm.mean, norm.variance}];
      moments.add(static_cast<double>(n), copy_.parameter(norm.batch_mean).value,
                  copy_.parameter(norm.batch_variance).value);
    }
  }

  /// Writes what all batches gave; a batch-norm that runs several times in a network has one pair for all.
  void write(Graph& graph) const {
    for (const auto& [names, moments] : moments_) {
      graph.writable(names.first).copy_(moments.mean);
      graph.writable(names.second).copy_(moments.variance());
    }
  }

private:
  struct Norm {
    std::string node, mean, variance;                  ///< the parameters of the graph ...
    std::string batch_mean = {}, batch_variance = {};  ///< ... and those of the copy
  };

  std::string add(const std::string& name, at::Tensor value) {
    return copy_.add_parameter({.name = copy_.unique_name(name), .value = std::move(value), .trainable = false}).name;
  }

  Graph copy_;
  std::vector<Norm> norms_;
  std::optional<exec::Plan> plan_;
  std::optional<ops::Infos> infos_;
  int64_t samples_ = 0;
  std::map<std::pair<std::string, std::string>, Moments> moments_;
};

/// The grid of a folded weight follows from the running variance: one batch through a copy whose statistics stay writes
/// it as training does.
void follow_grids(Graph& graph, const std::vector<at::Tensor>& inputs) {
  auto copy = graph.clone();
  copy.own_storage();
  exec::PlanOptions options{.mode = exec::Mode::train};
  std::vector<std::string> grids;
  for (Node& node : copy.nodes()) {
    if (node.op == "ConvBatchNormalization") {
      node.attributes.set("momentum", 1.0);
      grids.insert(grids.end(), {node.inputs[kScaleInput], node.inputs[kScaleInput + 1]});
    } else {
      options.frozen.push_back(node.name);
    }
  }
  if (grids.empty()) return;
  copy.touch();
  exec::prepare_parameters(copy, inputs[0].device());
  exec::Plan(copy, std::move(options)).run(inputs);
  for (const auto& name : grids) graph.writable(name).copy_(copy.parameter(name).value);
}

class ReestimateBatchnorm final : public Pass {
public:
  void declare(Settings& s) override {
    s.optional("samples", need_.samples, "training samples, without augmentation, that the statistics are taken over",
               at_least(2));
    s.optional("batch_size", need_.batch_size,
               "samples that a layer is normalised over at a time, as in training; what is left over is not used",
               at_least(1));
  }
  SampleNeed needs() const override { return need_; }
  void look_at(Batches batches) override { batches_ = std::move(batches); }
  bool compresses() const override { return false; }

  Changes run(Graph& graph) override {
    const at::NoGradGuard no_grad;
    if (!batches_)
      throw request_error("the pass looks at training samples, and there is no data set")
          .hint("name one: --data NAME, or the section 'data' of the recipe");
    BatchStatistics statistics(graph);
    if (statistics.empty()) {
      log::warning("[reestimate_batchnorm] '{}' has no batch-norm", graph.name);
      return {};
    }
    std::vector<at::Tensor> first;
    batches_([&](const std::vector<at::Tensor>& inputs) {
      if (inputs.empty() || (!first.empty() && inputs[0].size(0) < first[0].size(0))) return;
      if (first.empty()) first = inputs;
      statistics.add(inputs);
    });
    if (first.empty()) throw run_error("there is no training sample to look at");
    statistics.write(graph);
    follow_grids(graph, first);
    const auto norms =
        std::ranges::count_if(graph.nodes(), [](const Node& node) { return mean_input(node).has_value(); });
    return {.nodes_changed = norms};
  }

private:
  SampleNeed need_{.samples = 4096};
  Batches batches_;
};

}  // namespace

extern const Entry<Pass> reestimate_batchnorm{
    "reestimate_batchnorm", "takes the running statistics of all batch-norms anew from training samples; weights stay",
    make_component<Pass, ReestimateBatchnorm>};

}  // namespace compress::passes
