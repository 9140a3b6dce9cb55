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
    }
  }
}

TEST_CASE("learning rates: OneCycleLR stays at its last rate behind the cycle", "[train]") {
  const auto scheduler = make(lr_schedulers(), "OneCycleLR", "{max_lr: 1, total_steps: 5}");
  REQUIRE(scheduler->factor(20, 30, 1) == Approx(1.0 / 25 / 1e4));
}

TEST_CASE("learning rates: with a base rate of 0 every schedule gives a finite factor", "[train]") {
  for (const auto& example : kLrCases)
    REQUIRE(std::isfinite(make(lr_schedulers(), example.name, example.arguments)->factor(3, 12, 0)));
}

TEST_CASE("learning rates: contradicting arguments are refused", "[train]") {
  const auto check = [](const char* name, const char* arguments) { make(lr_schedulers(), name, arguments)->check(); };
  require_error([&] { check("MultiStepLR", "{milestones: [5, 2]}"); }, "MultiStepLR: milestones must ascend");
  require_error([&] { check("OneCycleLR", "{max_lr: 1, cycle_momentum: true}"); },
                "momentum does not follow the cycle here");
  require_error([&] { check("OneCycleLR", "{max_lr: 1, three_phase: true, pct_start: 0.7}"); },
                "pct_start is at most 0.5; it is 0.7");
  require_error([&] { check("StepLR", "{step_size: 0}"); }, "at least 1");
  require_error([] { lr_schedulers().make("StepLr"); }, "unknown learning-rate schedule 'StepLr'",
                "did you mean 'StepLR'?");
}

}  // namespace
}  // namespace compress::train
