#include "quant/lapq/lp_clips.h"

#include "core/yaml.h"
#include "quant/insertion/quantizer_node.h"
#include "quant/observer/observer.h"

#include <ATen/core/grad_mode.h>

#include <array>

namespace compress::quant {

namespace {

std::shared_ptr<const Observer> lp_observer(double p) {
  auto observer = observers().make("lp_norm");
  Settings settings;
  observer->declare(settings);
  auto arguments = Yaml::map();
  arguments.set("p", Yaml::scalar(fmt::format("{}", p)));
  settings.read(arguments, "lp_norm");
  return observer;
}

ops::ValueRange
lp_range_of_values(const QuantizerClip& clip, CalibrationLoss& loss, const Observer& observer, const at::Tensor& like) {
  ValueStatistics seen(clip.input, observer.needs());
  for (const auto& node : clip.nodes) loss.watch_input(node, [&](const at::Tensor& value) { seen.watch(value); });
  const auto range = observer.range(seen, clip.spec);
  return {like.new_full(like.sizes(), range.low), like.new_full(like.sizes(), range.high)};
}

}  // namespace

void set_lp_clips(Graph& graph, const std::vector<QuantizerClip>& clips, CalibrationLoss& loss, double p) {
  const at::NoGradGuard no_grad;
  const auto observer = lp_observer(p);
  for (const auto& clip : clips) {
    const TensorRule rule{.bits = clip.spec.bits, .grid = clip.spec, .observer = observer};
    set_clip_range(graph, clip,
                   clip.role == QuantizerClip::Role::activation
                       ? lp_range_of_values(clip, loss, *observer, graph.parameter(clip.scale).value)
                       : weight_range(graph.parameter(clip.input), rule, clip.axes));
    loss.changed(std::array{clip.scale, clip.zero_point});
  }
}

}  // namespace compress::quant
