#include "quant/post_training/bias_correction.h"

#include "exec/plan.h"
#include "ops/op.h"
#include "ops/quantization_grid.h"

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
  BiasCorrector(Graph& graph, const Graph& reference) : graph_(graph), reference_(reference) {
    for (const auto& node : graph.nodes())
      if (correctable(node)) layers_.push_back(node.name);
  }

  Changes run(const CalibrationBatches& calibration, int64_t samples) {
    const at::NoGradGuard no_grad;
    collect(calibration, samples);
    if (layers_.empty()) return {};
    const auto plan = observing(reference_, layers_, wanted_);
    for (const auto& batch : batches_) plan.run(batch);
    for (size_t i = 0; i < layers_.size(); ++i) correct(i);
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

  void collect(const CalibrationBatches& calibration, int64_t samples) {
    calibration([&](const std::vector<at::Tensor>& batch) {
      const int64_t take = batch.empty() ? 0 : std::min(samples, batch[0].size(0));
      if (take == 0) return;
      auto& kept = batches_.emplace_back();
      for (const auto& tensor : batch) kept.push_back(tensor.narrow(0, 0, take));
      samples -= take;
    });
    if (batches_.empty())
      throw run_error("bias correction got no calibration sample")
          .hint("give the recipe a 'data' section with a training split that is not empty");
  }

  /// The layers before are corrected; lives_ stand before the last of them.
  void correct(size_t i) {
    const auto& layer = layers_[i];
    ChannelMeans found;
    const auto plan = observing(graph_, {layer}, found);
    for (size_t b = 0; b < batches_.size(); ++b) {
      if (i == 0)
        lives_.push_back(plan.run_until(layer, batches_[b]));
      else
        lives_[b] = plan.run_between(layers_[i - 1], lives_[b], layer);
    }
    const auto behind = next(layer);
    for (const auto& live : lives_) {
      if (behind.empty())
        plan.run_from(layer, live);
      else
        plan.run_between(layer, live, behind);
    }
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
  std::vector<std::string> layers_;
  std::vector<std::vector<at::Tensor>> batches_;
  std::vector<exec::Plan::Live> lives_;
  ChannelMeans wanted_;  ///< of the reference
  Changes changes_;
};

}  // namespace

Changes correct_biases(Graph& graph, const Graph& reference, const CalibrationBatches& calibration, int64_t samples) {
  return BiasCorrector(graph, reference).run(calibration, samples);
}

}  // namespace compress::quant
