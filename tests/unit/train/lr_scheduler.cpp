#include "train/lr_scheduler.h"

#include "lr_values.h"
#include "small_graphs.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>

namespace compress::train {
namespace {

using namespace compress::train::test;
using compress::test::require_error;

TEST_CASE("learning rates: the closed forms give PyTorch's values", "[train]") {
  for (const auto& example : kLrCases) {
    const auto scheduler = make(lr_schedulers(), example.name, example.arguments);
    scheduler->check();
    const auto total = std::ssize(example.rates);
    for (int64_t t = 0; t < total; ++t) {
      INFO(example.name << " " << example.arguments << " step " << t);
      REQUIRE(scheduler->factor(t, total, kBaseLr) * kBaseLr ==
              Approx(example.rates[static_cast<size_t>(t)]).epsilon(1e-9));
      const auto momentum = scheduler->momentum(t, total);
      REQUIRE(momentum.has_value() == !example.momenta.empty());
      if (momentum) REQUIRE(*momentum == Approx(example.momenta[static_cast<size_t>(t)]).epsilon(1e-9));
    }
  }
}

/// A classifier's validation metrics.
Metrics validation(double loss) {
  return {{"top1", 50}, {"loss", loss}};
}

std::unique_ptr<Task> bound_task() {
  auto task = make(tasks(), "classification");
  task->bind(conv_net(), {{"image", {3, 16, 16}}, {"label", {}, at::kLong, 10}});
  return task;
}

TEST_CASE("learning rates: ReduceLROnPlateau gives PyTorch's values, also when it is saved and loaded between",
          "[train]") {
  for (const auto& example : kPlateauCases) {
    auto scheduler = make(lr_schedulers(), "ReduceLROnPlateau", example.arguments);
    if (std::string(example.arguments).find("max") == std::string::npos) scheduler->bind(*bound_task());
    for (size_t epoch = 0; epoch < kPlateauMetrics.size(); ++epoch) {
      INFO(example.arguments << " epoch " << epoch);
      REQUIRE(scheduler->factor(0, 0, kBaseLr) * kBaseLr == Approx(example.rates[epoch]).epsilon(1e-9));
      scheduler->observe(validation(kPlateauMetrics[epoch]), kBaseLr);
      const auto state = nlohmann::json::parse(scheduler->save().dump());
      scheduler = make(lr_schedulers(), "ReduceLROnPlateau", example.arguments);
      scheduler->load(state);
      scheduler->bind(*bound_task());
    }
  }
}

TEST_CASE("learning rates: ReduceLROnPlateau finds its metric, or says which there are", "[train]") {
  const auto bind = [](const char* arguments) {
    make(lr_schedulers(), "ReduceLROnPlateau", arguments)->bind(*bound_task());
  };
  REQUIRE_NOTHROW(bind("{mode: max}"));
  REQUIRE_NOTHROW(bind("{}"));
  require_error([&] { bind("{metric: top11, mode: max}"); }, "ReduceLROnPlateau: there is no metric 'top11' to follow",
                "did you mean 'top1'?", "the metrics are top1, top5 and loss");
  require_error([&] { bind("{metric: top1}"); }, "the 'mode' for metric 'top1' is max");
}

TEST_CASE("learning rates: warm-up is LinearLR chained with the schedule", "[train]") {
  for (const auto& example : kWarmUpCases) {
    const auto scheduler = make(lr_schedulers(), "StepLR", example.step_lr);
    WarmUp warmup;
    Settings settings;
    warmup.declare(settings);
    settings.read(parse_yaml(example.warmup, "test.yaml"), "warmup");
    const auto total = std::ssize(example.rates);
    for (int64_t t = 0; t < total; ++t) {
      INFO(example.warmup << " step " << t);
      REQUIRE(scheduler->factor(t, total, kBaseLr) * warmup.factor(t, 4) * kBaseLr ==
              Approx(example.rates[static_cast<size_t>(t)]).epsilon(1e-9));
    }
  }
}

TEST_CASE("learning rates: the warm-up's length is given once", "[train]") {
  const auto read = [](const char* text) {
    LrTiming timing;
    Settings settings;
    timing.declare(settings);
    settings.read(parse_yaml(text, "test.yaml"), "schedule");
    return to_text(settings.print());
  };
  require_error([&] { read("warmup: {start_factor: 0.5}"); },
                "test.yaml:1:9: error: 'warmup' takes either 'epochs' or 'iterations'; it has none of them",
                "warmup: {epochs: 5, start_factor: 0.1}");
  require_error([&] { read("warmup: {epochs: 1, iterations: 5}"); }, "'epochs' or 'iterations', not both");
  require_error([&] { read("warmup: {epoch: 1}"); }, "unknown key 'epoch' in 'warmup'", "did you mean 'epochs'?");
  require_error([&] { read("warmup: 5"); }, "must be a map");
  const auto text = read("{interval: batch, warmup: {iterations: 7}}");
  REQUIRE(read(text.c_str()) == text);
}

TEST_CASE("learning rates: OneCycleLR stays at its last rate behind the cycle", "[train]") {
  const auto scheduler = make(lr_schedulers(), "OneCycleLR", "{max_lr: 1, total_steps: 5}");
  REQUIRE(scheduler->factor(20, 30, 1) == Approx(1.0 / 25 / 1e4));
}

TEST_CASE("learning rates: arguments print as they were read", "[train]") {
  for (const auto& example : kLrCases) {
    INFO(example.name << " " << example.arguments);
    const auto text = printed(*make(lr_schedulers(), example.name, example.arguments));
    REQUIRE(printed(*make(lr_schedulers(), example.name, text)) == text);
  }
  for (const auto& example : kPlateauCases) {
    const auto text = printed(*make(lr_schedulers(), "ReduceLROnPlateau", example.arguments));
    REQUIRE(printed(*make(lr_schedulers(), "ReduceLROnPlateau", text)) == text);
  }
}

TEST_CASE("learning rates: MultiStepMultiGammaLR has Distiller's values", "[train]") {
  const auto scheduler =
      make(lr_schedulers(), "MultiStepMultiGammaLR", "{milestones: [30, 60, 80], gammas: [0.1, 0.1, 0.2]}");
  for (const auto& [epoch, factor] :
       {std::pair{0, 1.0}, {30, 0.1}, {60, 0.010000000000000002}, {80, 0.0020000000000000005}})
    REQUIRE(scheduler->factor(epoch, 101, 0.1) == factor);
  for (const auto& [epoch, rate] : {std::pair{0, 0.1},
                                    {15, 0.1},
                                    {29, 0.1},
                                    {30, 0.010000000000000002},
                                    {33, 0.010000000000000002},
                                    {60, 0.0010000000000000002},
                                    {79, 0.0010000000000000002},
                                    {80, 0.00020000000000000006},
                                    {100, 0.00020000000000000006}}) {
    INFO("epoch " << epoch);
    REQUIRE(0.1 * scheduler->factor(epoch, 101, 0.1) == rate);
  }
}

TEST_CASE("learning rates: MultiStepMultiGammaLR refuses what Distiller refused", "[train]") {
  const auto check = [](const char* arguments) { make(lr_schedulers(), "MultiStepMultiGammaLR", arguments)->check(); };
  require_error([&] { check("{milestones: [60, 30, 80], gammas: [0.1, 0.1, 0.2]}"); }, "'milestones' must ascend");
  require_error([&] { check("{milestones: [30, 60], gammas: [0.1, 0.1, 0.2]}"); },
                "there are 2 'milestones', but 3 'gammas'");
  require_error([&] { check("{milestones: [30, 60, 80], gammas: [0.1, 0.1]}"); },
                "there are 3 'milestones', but 2 'gammas'");
}

TEST_CASE("learning rates: with a base rate of 0 every schedule gives a finite factor", "[train]") {
  for (const auto& example : kLrCases)
    REQUIRE(std::isfinite(make(lr_schedulers(), example.name, example.arguments)->factor(3, 12, 0)));
}

TEST_CASE("learning rates: contradicting arguments are refused", "[train]") {
  const auto check = [](const char* name, const char* arguments) { make(lr_schedulers(), name, arguments)->check(); };
  require_error([&] { check("MultiStepLR", "{milestones: [5, 2]}"); }, "MultiStepLR: milestones must ascend");
  require_error([&] { check("OneCycleLR", "{max_lr: 1, base_momentum: 0.9, max_momentum: 0.8}"); },
                "OneCycleLR: 'base_momentum' (0.9) is above 'max_momentum' (0.8)");
  require_error([&] { check("MultiStepMultiGammaLR", "{milestones: [5, 5], gammas: [1, 2]}"); },
                "MultiStepMultiGammaLR: 'milestones' must ascend");
  require_error([&] { check("MultiStepMultiGammaLR", "{milestones: [5], gammas: [1, 2]}"); },
                "MultiStepMultiGammaLR: there are 1 'milestones', but 2 'gammas'");
  require_error([&] { check("OneCycleLR", "{max_lr: 1, three_phase: true, pct_start: 0.7}"); },
                "pct_start is at most 0.5; it is 0.7");
  require_error([&] { check("StepLR", "{step_size: 0}"); }, "at least 1");
  require_error([] { lr_schedulers().make("StepLr"); }, "unknown learning-rate schedule 'StepLr'",
                "did you mean 'StepLR'?");
}

}  // namespace
}  // namespace compress::train
