#include "quant/lapq/layer_clips.h"

#include "ops/op.h"
#include "quant/lapq/clip_space.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace compress::quant {

namespace {

constexpr int64_t kLayerEvaluations = 200;

/// A weighted layer with the operators between it and the quantiser of its output.
struct ClippedLayer {
  const Node* layer = nullptr;
  std::vector<const Node*> behind;
  std::vector<QuantizerClip> clips;  ///< the weight's, then the output's if there is one
};

ClippedLayer clipped_layer(const Graph& graph, const QuantizerClip& weight, const std::vector<QuantizerClip>& clips) {
  ClippedLayer found{.layer = graph.consumers(weight.name()).front(), .clips = {weight}};
  for (const auto* node = found.layer;;) {
    const auto readers = graph.consumers(node->name);
    const auto is_output = [&](const QuantizerClip& clip) {
      return clip.role == QuantizerClip::Role::activation && clip.input == node->name;
    };
    if (const auto output = std::ranges::find_if(clips, is_output); output != clips.end()) {
      found.clips.push_back(*output);
      return found;
    }
    const bool goes_on = readers.size() == 1 && readers[0]->outputs == 1 && !graph.is_output(node->name) &&
                         ops::op_of(*readers[0]).quantization == ops::Quantization::activation;
    if (!goes_on) {
      found.behind.clear();
      return found;
    }
    node = readers[0];
    found.behind.push_back(node);
  }
}

class LayerError {
public:
  LayerError(Graph& graph, ClippedLayer layer, CalibrationLoss& reference, double p)
      : graph_(graph), layer_(std::move(layer)), p_(p) {
    reference.watch_input(layer_.layer->name, [this](const at::Tensor& value) { inputs_.push_back(value); });
    for (const auto& input : inputs_) exact_.push_back(output(input, /*rounded=*/false));
  }

  const ClippedLayer& layer() const { return layer_; }

  /// The mean over all numbers of |exact - rounded|^p.
  double operator()() const {
    double sum = 0, count = 0;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      sum += output(inputs_[i], true).sub_(exact_[i]).abs_().pow_(p_).sum(at::kDouble).item<double>();
      count += static_cast<double>(exact_[i].numel());
    }
    return sum / count;
  }

private:
  at::Tensor output(const at::Tensor& input, bool rounded) const {
    std::vector<at::Tensor> given;
    for (const auto& name : layer_.layer->inputs) {
      const auto* parameter = graph_.find_parameter(name);
      const bool weight = name == layer_.clips[0].name();
      if (given.empty())
        given.push_back(input);
      else if (weight)
        given.push_back(rounded ? on_grid(graph_.parameter(layer_.clips[0].input).value, layer_.clips[0])
                                : graph_.parameter(layer_.clips[0].input).value);
      else
        given.push_back(parameter ? parameter->value : at::Tensor());
    }
    auto value = exec::run_node(*layer_.layer, given)[0];
    for (const auto* node : layer_.behind) value = exec::run_node(*node, with_parameters(*node, value))[0];
    return rounded && layer_.clips.size() > 1 ? on_grid(value, layer_.clips[1]) : value;
  }

  std::vector<at::Tensor> with_parameters(const Node& node, const at::Tensor& value) const {
    std::vector<at::Tensor> given{value};
    for (size_t i = 1; i < node.inputs.size(); ++i)
      given.push_back(node.has_input(i) ? graph_.parameter(node.inputs[i]).value : at::Tensor());
    return given;
  }

  at::Tensor on_grid(const at::Tensor& value, const QuantizerClip& clip) const {
    return ops::fake_quantize(value, {graph_.parameter(clip.scale).value, graph_.parameter(clip.zero_point).value},
                              clip.spec, clip.axes);
  }

  Graph& graph_;
  ClippedLayer layer_;
  double p_;
  std::vector<at::Tensor> inputs_, exact_;
};

/// The bias of a layer may be behind a quantiser of its own, a second operand made by another node: left alone.
bool can_run_alone(const Graph& graph, const ClippedLayer& layer) {
  const auto known = [&](const Node& node, size_t first) {
    for (size_t i = first; i < node.inputs.size(); ++i)
      if (node.has_input(i) && node.inputs[i] != layer.clips[0].name() && !graph.find_parameter(node.inputs[i]))
        return false;
    return true;
  };
  return layer.layer->inputs[0] != layer.clips[0].name() && known(*layer.layer, 1) &&
         std::ranges::all_of(layer.behind, [&](const Node* node) { return known(*node, 1); });
}

}  // namespace

void set_layer_clips(Graph& graph,
                     const std::vector<QuantizerClip>& clips,
                     CalibrationLoss& quantised,
                     CalibrationLoss& reference,
                     double p,
                     const SmallSearch& search) {
  const at::NoGradGuard no_grad;
  for (const auto& clip : clips) {
    if (clip.role != QuantizerClip::Role::weight) continue;
    auto layer = clipped_layer(graph, clip, clips);
    if (!can_run_alone(graph, layer)) continue;
    const LayerError error(graph, std::move(layer), reference, p);
    ClipSpace space(graph, error.layer().clips, /*each_end=*/true);
    if (space.size() == 0) continue;
    Evaluations evaluations(
        [&](const Point& point, std::optional<size_t>) {
          space.set(point);
          return error();
        },
        kLayerEvaluations);
    search(evaluations, space.region(), space.start());
    space.set(evaluations.best().point);
    for (const auto& moved : error.layer().clips) quantised.changed(std::vector{moved.scale, moved.zero_point});
  }
}

}  // namespace compress::quant
