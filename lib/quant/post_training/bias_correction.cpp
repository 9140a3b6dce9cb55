#include "quant/post_training/bias_correction.h"

#include "exec/plan.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"
#include "quant/post_training/calibrate.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::quant {
namespace {

/// Sums a value over samples and positions, per channel (axis 1).
class ChannelMean {
public:
  void see(const at::Tensor& value) {
    std::vector<int64_t> others{0};
    for (int64_t axis = 2; axis < value.dim(); ++axis) others.push_back(axis);
    const auto sum = value.sum(others, false, at::kDouble);
    sum_ = sum_.defined() ? sum_ + sum : sum;
    count_ += value.numel() / value.size(1);
  }
  at::Tensor mean() const { return sum_ / static_cast<double>(count_); }

private:
  at::Tensor sum_;
  int64_t count_ = 0;
};

using ChannelMeans = std::map<std::string, ChannelMean, std::less<>>;

exec::Plan observing(const Graph& graph, std::vector<std::string> layers, ChannelMeans& means) {
  return {graph, {.observe = std::move(layers), .observer = [&means](std::string_view name, const at::Tensor& value) {
                    means[std::string(name)].see(value);
                  }}};
}

/// The parameter behind a quantiser, or the parameter itself.
const Parameter* parameter_behind(const Graph& graph, const std::string& input) {
  const auto* producer = graph.producer(input);
  return graph.find_parameter(producer != nullptr && producer->op == "FakeQuantize" ? producer->inputs[0] : input);
}

class BiasCorrector {
public:
  BiasCorrector(
      Graph& graph, const Graph& reference, const CalibrationBatches& calibration, int64_t samples, int64_t most_bytes)
      : graph_(graph), reference_(reference), calibration_(calibration), samples_(samples), prefixes_(most_bytes) {
    for (const auto& node : graph.nodes())
      if (correctable(node)) layers_.push_back(node.name);
  }

  Changes run() {
    if (layers_.empty()) return {};
    const at::NoGradGuard no_grad;
    const auto plan = observing(reference_, layers_, wanted_);
    each_batch([&](size_t batch, const std::vector<at::Tensor>& inputs) {
      plan.run(inputs);
      batches_ = batch + 1;
    });
    if (batches_ == 0)
      throw run_error("bias correction got no calibration sample")
          .hint("give the recipe a 'data' section with a training split that is not empty");
    for (const auto& layer : layers_) correct(layer);
    return std::move(changes_);
  }

private:
  /// Quantised, with a bias of its own or room for one, and in the floating-point network too.
  bool correctable(const Node& node) const {
    const auto& op = ops::op_of(node);
    if (op.quantization != ops::Quantization::weighted || op.bias_input < 0) return false;
    if (reference_.find_node(node.name) == nullptr) return false;
    const auto quantised = [&](int input) {
      const auto* producer = graph_.producer(node.inputs[static_cast<size_t>(input)]);
      return producer != nullptr && producer->op == "FakeQuantize";
    };
    if (!quantised(0) && !quantised(op.weight_input)) return false;
    if (parameter_behind(graph_, node.inputs[static_cast<size_t>(op.weight_input)]) == nullptr) return false;
    if (!node.has_input(static_cast<size_t>(op.bias_input))) return true;
    const auto* bias = parameter_behind(graph_, node.inputs[static_cast<size_t>(op.bias_input)]);
    return bias != nullptr && graph_.consumers(bias->name).size() == 1;
  }

  void each_batch(const std::function<void(size_t, const std::vector<at::Tensor>&)>& consume) const {
    size_t batch = 0;
    for_first_samples(graph_, calibration_, samples_,
                      [&](const std::vector<at::Tensor>& inputs) { consume(batch++, inputs); });
  }

  /// The layers before are corrected.
  void correct(const std::string& layer) {
    ChannelMeans found;
    const auto plan = observing(graph_, {layer}, found);
    const auto behind = next(layer);
    const auto see = [&](size_t batch, const std::vector<at::Tensor>& inputs) {
      const auto* live = prefixes_.before(layer, plan, batch, inputs);
      if (behind.empty())
        live ? plan.run_from(layer, *live) : plan.run(inputs);
      else
        live ? plan.run_between(layer, *live, behind) : plan.run_until(behind, inputs);
    };
    size_t kept = 0;
    for (; kept < prefixes_.batches(); ++kept) see(kept, {});
    if (kept < batches_)
      each_batch([&](size_t batch, const std::vector<at::Tensor>& inputs) {
        if (batch >= kept) see(batch, inputs);
      });
    subtract(graph_.node(layer), found.at(layer).mean() - wanted_.at(layer).mean());
  }

  std::string next(const std::string& layer) const {
    bool found = false;
    for (const auto& node : graph_.nodes()) {
      if (found) return node.name;
      found = node.name == layer;
    }
    return {};
  }

  void subtract(Node& node, const at::Tensor& error) {
    const auto index = static_cast<size_t>(ops::op_of(node).bias_input);
    ++changes_.nodes_changed;
    if (!node.has_input(index)) {
      const auto name = graph_.unique_name(node.name + ".bias");
      graph_.add_parameter({.name = name, .value = error.neg().to(at::kFloat)});
      changes_.added.push_back(name);
      node.inputs.resize(std::max(node.inputs.size(), index + 1));
      node.inputs[index] = name;
      return graph_.touch();
    }
    const auto& bias = *parameter_behind(graph_, node.inputs[index]);
    auto value = (bias.value.to(at::kDouble) - error.reshape(bias.value.sizes())).to(bias.value.scalar_type());
    if (bias.mask.defined()) value = value * bias.mask;
    graph_.assign(bias.name, value);
    refit(node.inputs[index], value);
  }

  /// A bias on a grid of its own may have left its range.
  void refit(const std::string& input, const at::Tensor& value) {
    const auto* quantizer = graph_.producer(input);
    if (quantizer == nullptr) return;
    const auto range = ops::value_range(value, -1);
    const auto grid = ops::make_grid(range.min, range.max, ops::grid_spec(*quantizer));
    graph_.assign(quantizer->inputs[1], grid.scale);
    graph_.assign(quantizer->inputs[2], grid.zero_point);
  }

  Graph& graph_;
  const Graph& reference_;
  const CalibrationBatches& calibration_;
  int64_t samples_;
  KeptPrefixes prefixes_;  ///< of the graph, before the layer that is corrected
  std::vector<std::string> layers_;
  size_t batches_ = 0;
  ChannelMeans wanted_;  ///< of the reference
  Changes changes_;
};

}  // namespace

Changes correct_biases(
    Graph& graph, const Graph& reference, const CalibrationBatches& calibration, int64_t samples, int64_t most_bytes) {
  return BiasCorrector(graph, reference, calibration, samples, most_bytes).run();
}

}  // namespace compress::quant
