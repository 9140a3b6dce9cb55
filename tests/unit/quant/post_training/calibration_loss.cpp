#include "quant/post_training/calibration_loss.h"

#include "quant/post_training/quantizer_clips.h"
#include "support/check_error.h"
#include "train/trainer.h"
#include "unit/quant/post_training/labelled_world.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

using namespace compress;
using namespace compress::test;
using quant::CalibrationLoss;

namespace {

constexpr auto kFourBits = "{bits_activations: 4, bits_weights: 4}";

struct Quantised : LabelledWorld {
  Quantised() { quantize("PostTrainMinMaxQuantizer", kFourBits, calibration()); }

  std::vector<std::string> scaled(const quant::QuantizerClip& clip, double factor) {
    const auto range = quant::clip_range(graph, clip);
    quant::set_clip_range(graph, clip, {range.min.mul(factor), range.max.mul(factor)});
    return {clip.scale, clip.zero_point};
  }
};

bool same(const CalibrationLoss::Result& a, const CalibrationLoss::Result& b) {
  return a.loss == b.loss && a.metric == b.metric;
}

}  // namespace

TEST_CASE("calibration_loss: it is the evaluation's loss and metric") {
  Quantised world;
  const auto samples = quant::labelled_samples(world.calibration(), 100, 16);
  REQUIRE(samples.size() == 48);
  REQUIRE(samples.batches() == 3);
  CalibrationLoss loss(world.graph, samples);
  const auto result = loss.evaluate();
  const auto expected = train::evaluate(world.graph, world.splits.calibration, *world.task, {.batch_size = 48});
  REQUIRE(result.metric == Approx(train::metric(expected.metrics, "top1")));
  REQUIRE(result.loss == Approx(train::metric(expected.metrics, "loss")));
  REQUIRE(same(loss.evaluate(), result));
}

TEST_CASE("calibration_loss: fewer samples are the first of the calibration's order, with their labels") {
  Quantised world;
  const auto calibration = world.calibration();
  const auto samples = quant::labelled_samples(calibration, 32, 16);
  std::vector<at::Tensor> seen, expected;
  samples.each(world.graph, [&](const auto& prepared) { seen.push_back(prepared.inputs[0]); });
  calibration.batches([&](const auto& inputs) { expected.push_back(inputs[0]); });
  REQUIRE(seen.size() == expected.size());
  for (size_t i = 0; i < seen.size(); ++i) REQUIRE(seen[i].equal(expected[i]));
}

TEST_CASE("calibration_loss: changed clips, with and without what was kept, have the bits of a new evaluation") {
  Quantised world;
  const auto samples = quant::labelled_samples(world.calibration(), 48, 16);
  CalibrationLoss loss(world.graph, samples);
  const auto clips = quant::quantizer_clips(world.graph);
  REQUIRE(clips.size() >= 6);
  const auto require_fresh = [&](const CalibrationLoss::Result& result) {
    REQUIRE(same(result, CalibrationLoss(world.graph, samples).evaluate()));
  };
  for (int round = 0; round < 2; ++round)
    for (const auto& clip : clips) {
      INFO(round << " " << clip.name());
      for (const double factor : {0.7, 1.2, 0.9}) {
        loss.changed(world.scaled(clip, factor));
        require_fresh(loss.evaluate_from(clip.name()));
      }
      require_fresh(loss.evaluate());
    }
  // A change before what was kept.
  loss.changed(world.scaled(clips.front(), 0.8));
  require_fresh(loss.evaluate_from(clips.back().name()));
  loss.changed(world.scaled(clips.front(), 1.1));
  require_fresh(loss.evaluate_from(clips.back().name()));
  require_fresh(loss.evaluate_from(clips[2].name()));
}

TEST_CASE("calibration_loss: weights may change as well") {
  Quantised world;
  const auto samples = quant::labelled_samples(world.calibration(), 48);
  CalibrationLoss loss(world.graph, samples);
  const auto before = loss.evaluate();
  world.graph.assign("fc.bias", world.graph.parameter("fc.bias").value.add(at::tensor({1.F, 0.F, 0.F, 0.F, 0.F})));
  loss.changed(std::vector<std::string>{"fc.bias"});
  const auto after = loss.evaluate();
  REQUIRE_FALSE(same(after, before));
  REQUIRE(same(after, CalibrationLoss(world.graph, samples).evaluate()));
}

TEST_CASE("calibration_loss: what a quantiser reads is what the quantised network before it makes") {
  Quantised world;
  const auto samples = quant::labelled_samples(world.calibration(), 48, 48);
  CalibrationLoss loss(world.graph, samples);
  for (const auto& clip : quant::quantizer_clips(world.graph)) {
    if (clip.role != quant::QuantizerClip::Role::activation) continue;
    INFO(clip.name());
    at::Tensor seen, expected;
    loss.watch_input(clip.name(), [&](const at::Tensor& value) { seen = value; });
    const exec::Plan plan(world.graph, {.observe = {clip.input}, .observer = [&](auto, const at::Tensor& value) {
                                          expected = expected.defined() ? at::cat({expected, value}) : value.clone();
                                        }});
    samples.each(world.graph, [&](const auto& prepared) { plan.run(prepared.inputs); });
    REQUIRE(seen.sizes() == expected.sizes());
    REQUIRE(at::allclose(seen, expected, 1e-5, 1e-5));
  }
  require_error([&] { loss.watch_input("conv1.weight.quantizer", [](const at::Tensor&) {}); },
                "node 'conv1.weight.quantizer' reads no value that depends on the samples");
  require_error([&] { loss.evaluate_from("nobody"); }, "has no node 'nobody'");
}

TEST_CASE("calibration_loss: without labels or samples it says so") {
  const LabelledWorld world;
  auto calibration = world.calibration();
  calibration.samples = data::subset(world.splits.calibration, {});
  require_error([&] { quant::labelled_samples(calibration, 10); }, "there are no training samples to calibrate on");
  calibration.samples = nullptr;
  require_error([&] { quant::labelled_samples(calibration, 10); },
                "the loss of the task needs training samples with labels, and there are none");
}
