#include "quant/post_training/quantizer_clips.h"

#include "support/check_error.h"
#include "support/quantization.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

using namespace compress;
using namespace compress::test;
using quant::QuantizerClip;

namespace {

Graph quantised_graph(const std::string& text, const std::string& yaml) {
  auto graph = filled_graph(text);
  quantize(graph, "PostTrainMinMaxQuantizer", yaml, calibration_of({random_tensor({6, 3, 8, 8}, 3)}));
  return graph;
}

}  // namespace

TEST_CASE("quantizer_clips: every grid is listed once, in the graph's order, with what it rounds") {
  const auto graph = quantised_graph(kSkip, "{bits_weights: 4}");
  const auto clips = quant::quantizer_clips(graph);
  std::vector<std::string> values, weights;
  size_t last = 0;
  for (const auto& clip : clips) {
    (clip.role == QuantizerClip::Role::activation ? values : weights).push_back(clip.input);
    REQUIRE(clip.spec.bits == (clip.role == QuantizerClip::Role::activation ? 8 : 4));
    size_t place = 0;
    for (const Node& node : graph.nodes()) {
      if (node.name == clip.name()) break;
      ++place;
    }
    REQUIRE(place >= last);
    last = place;
  }
  const bool all_weights = weights == std::vector<std::string>{"a.weight", "d.weight", "head.weight"};
  REQUIRE(all_weights);
  const auto shared = std::ranges::find(clips, "a_relu", &QuantizerClip::input);
  REQUIRE(shared != clips.end());
  const bool both = shared->nodes == std::vector<std::string>{"a_relu.quantizer", "d_relu.quantizer"};
  REQUIRE(both);
  REQUIRE(std::ranges::find(values, "d_relu") == values.end());
}

TEST_CASE("quantizer_clips: a quantised bias is told apart, one on the accumulator's grid is none") {
  auto graph = quantised_graph(kSkip, "{}");
  graph.add_parameter({.name = "s", .value = at::full({}, 0.1), .trainable = false});
  graph.add_parameter({.name = "z", .value = at::full({}, 0.0), .trainable = false});
  Node bias{.name = "bias.quantizer", .op = "FakeQuantize", .inputs = {"head.bias", "s", "z"}};
  bias.attributes.set("bits", int64_t{8});
  graph.insert_before(graph.node("head"), bias);
  graph.node("head").inputs[2] = "bias.quantizer";
  graph.touch();
  const auto find = [&] {
    const auto clips = quant::quantizer_clips(graph);
    const auto found = std::ranges::find(clips, "head.bias", &QuantizerClip::input);
    return found == clips.end() ? std::optional<QuantizerClip::Role>() : found->role;
  };
  REQUIRE(find() == QuantizerClip::Role::bias);
  graph.node("bias.quantizer").attributes.set("bits", int64_t{32});
  REQUIRE_FALSE(find());
  graph.node("bias.quantizer").attributes.set("bits", int64_t{8});
  graph.node("bias.quantizer").attributes.set("method", std::string("minmax"));
  REQUIRE_FALSE(find());
}

TEST_CASE("quantizer_clips: the range that is read gives the grid that was there") {
  for (const std::string grid : {"symmetric", "asymmetric_unsigned", "asymmetric_signed"})
    for (const std::string per_channel : {"true", "false"}) {
      INFO(grid << " " << per_channel);
      auto graph = quantised_graph(kResidual, "{activations: " + grid + ", per_channel_weights: " + per_channel + "}");
      for (const auto& clip : quant::quantizer_clips(graph)) {
        INFO(clip.name());
        const auto scale = graph.parameter(clip.scale).value.clone(),
                   zero_point = graph.parameter(clip.zero_point).value.clone();
        const auto range = quant::clip_range(graph, clip);
        REQUIRE(range.max.sizes() == scale.sizes());
        quant::set_clip_range(graph, clip, range);
        REQUIRE(at::allclose(graph.parameter(clip.scale).value, scale, 1e-6, 0));
        REQUIRE(graph.parameter(clip.zero_point).value.equal(zero_point));
      }
    }
}

TEST_CASE("quantizer_clips: a range becomes the grid of its numbers") {
  auto graph = quantised_graph(kResidual, "{bits_activations: 4, bits_weights: 4}");
  for (const auto& clip : quant::quantizer_clips(graph)) {
    const auto& scale = graph.parameter(clip.scale).value;
    const auto low = scale.new_full(scale.sizes(), -1), high = scale.new_full(scale.sizes(), 2);
    quant::set_clip_range(graph, clip, {low, high});
    const auto expected = ops::make_grid(low, high, clip.spec);
    REQUIRE(graph.parameter(clip.scale).value.equal(expected.scale));
    REQUIRE(graph.parameter(clip.zero_point).value.equal(expected.zero_point));
    const auto range = quant::clip_range(graph, clip);
    REQUIRE(at::allclose(range.max.sub(range.min), at::full(scale.sizes(), clip.spec.symmetric ? 4.0 : 3.0)));
  }
}
