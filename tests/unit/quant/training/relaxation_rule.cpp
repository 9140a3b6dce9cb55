#include "quant/training/relaxation_rule.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::quant;

namespace {

RelaxationRule rule_from(const std::string& yaml) {
  RelaxationRule rule;
  Settings settings;
  declare_rule(settings, rule);
  settings.read(parse_yaml(yaml, "recipe.yaml"), "relaxation");
  return rule;
}

/// The bits of weights and values before each epoch, given the losses of the epochs.
std::vector<std::pair<int64_t, int64_t>> bits_over(RelaxationMachine machine, const std::vector<double>& losses) {
  std::vector<std::pair<int64_t, int64_t>> bits;
  for (const double loss : losses) {
    bits.emplace_back(machine.precision().weights, machine.precision().values);
    machine.end_epoch(loss);
  }
  bits.emplace_back(machine.precision().weights, machine.precision().values);
  return bits;
}

using BitPairs = std::vector<std::pair<int64_t, int64_t>>;

}  // namespace

TEST_CASE("relaxation: NEMO's defaults", "[quant]") {
  const auto rule = rule_from("{}");
  REQUIRE(rule.for_epochs == 1);
  REQUIRE(rule.for_epochs_no_abs_bound == 3);
  REQUIRE(rule.running_avg_memory == 5);
  REQUIRE(rule.delta_loss_less_than == 0.01);
  REQUIRE(rule.delta_loss_running_std_stale == 1.5);
  REQUIRE(rule.abs_loss_stale == 1.4);
  REQUIRE(rule.scale_lr);
  REQUIRE(rule.lr_scaler == 4);
  REQUIRE(rule.divergence_abs_threshold == 1e9);
  REQUIRE(rule.divergence_policy == DivergencePolicy::change_precision);
  REQUIRE(rule.divergence_lr_scaler == 0.2);
}

TEST_CASE("relaxation: a stale loss lowers the bits down to the stop condition", "[quant]") {
  const auto rule = rule_from("{bit_scaler: -2, W_bit_stop_condition: 5, x_bit_stop_condition: 6}");
  // falling fast, then stale; the first epoch of a precision has nothing to compare with
  REQUIRE(bits_over({rule, {8, 8}}, {1.0, 0.8, 0.795, 0.79, 0.789, 0.789, 0.7885, 0.788}) ==
          BitPairs{{8, 8}, {8, 8}, {8, 8}, {8, 8}, {8, 8}, {8, 8}, {8, 8}, {6, 6}, {6, 6}});
  REQUIRE(bits_over({rule, {8, 8}}, {1.0, 0.999, 0.7, 0.699, 0.5, 0.4999}) ==
          BitPairs{{8, 8}, {8, 8}, {6, 6}, {6, 6}, {5, 6}, {5, 6}, {5, 6}});
}

TEST_CASE("relaxation: without a loss below abs_loss_stale it takes for_epochs_no_abs_bound epochs", "[quant]") {
  const auto rule = rule_from("{abs_loss_stale: 0.1, for_epochs_no_abs_bound: 2}");
  REQUIRE(bits_over({rule, {8, 8}}, {1.0, 0.999, 0.998, 0.997}) == BitPairs{{8, 8}, {8, 8}, {8, 8}, {7, 7}, {7, 7}});
}

TEST_CASE("relaxation: improvements that scatter are not stale", "[quant]") {
  const auto rule = rule_from("{delta_loss_running_std_stale: 0.1, delta_loss_less_than: 0.5}");
  REQUIRE(bits_over({rule, {8, 8}}, {1.0, 0.9, 0.2}) == BitPairs{{8, 8}, {8, 8}, {7, 7}, {7, 7}});
  REQUIRE(bits_over({rule, {8, 8}}, {2.0, 1.41, 1.4, 1.39}) == BitPairs{{8, 8}, {8, 8}, {8, 8}, {8, 8}, {8, 8}});
}

TEST_CASE("relaxation: lowering multiplies the learning rate, unless it must not", "[quant]") {
  RelaxationMachine machine(rule_from("{}"), {8, 8});
  REQUIRE(machine.end_epoch(1).keep_as_best);
  const auto decision = machine.end_epoch(0.999);
  REQUIRE(decision.changed);
  REQUIRE(decision.lr_factor == 4);
  RelaxationMachine steady(rule_from("{scale_lr: false}"), {8, 8});
  steady.end_epoch(1);
  REQUIRE(steady.end_epoch(0.999).lr_factor == 1);
}

TEST_CASE("relaxation: one side alone can be lowered", "[quant]") {
  REQUIRE(bits_over({rule_from("{scale_x: false, W_bit_scaler: -3}"), {8, 8}}, {1, 1}) ==
          BitPairs{{8, 8}, {8, 8}, {5, 8}});
  REQUIRE(bits_over({rule_from("{scale_W: false, x_bit_scaler: -3}"), {8, 8}}, {1, 1}) ==
          BitPairs{{8, 8}, {8, 8}, {8, 5}});
}

TEST_CASE("relaxation: a divergence brings the best weights back and lowers the bits", "[quant]") {
  RelaxationMachine machine(rule_from("{}"), {8, 8});
  machine.end_epoch(1);
  const auto decision = machine.end_epoch(1.5);
  REQUIRE(decision.reload_best);
  REQUIRE(decision.changed);
  REQUIRE(machine.precision() == Precision{7, 7});
  RelaxationMachine high(rule_from("{divergence_abs_threshold: 5}"), {8, 8});
  REQUIRE_FALSE(high.end_epoch(6).reload_best);  // there is nothing to bring back
  REQUIRE(high.precision() == Precision{7, 7});
}

TEST_CASE("relaxation: a divergence lowers the learning rate three times at most", "[quant]") {
  RelaxationMachine machine(rule_from("{divergence_policy: lower_lr, divergence_lr_scaler: 0.5}"), {8, 8});
  machine.end_epoch(1);
  for (int k = 0; k < 3; ++k) {
    const auto decision = machine.end_epoch(2);
    REQUIRE(decision.reload_best);
    REQUIRE(decision.lr_factor == 0.5);
    REQUIRE_FALSE(decision.changed);
  }
  REQUIRE(machine.end_epoch(2).changed);
}

TEST_CASE("relaxation: points of one's own come one after the other", "[quant]") {
  RelaxationMachine machine(
      rule_from(
          "{custom_scaler: [{W_bits: 6, x_bits: 8, lr: 0.01, divergence_policy: lower_lr}, {W_bits: 4, x_bits: 8, "
          "lr: 0.002}]}"),
      {8, 8});
  machine.end_epoch(1);
  const auto first = machine.end_epoch(0.999);
  REQUIRE(first.lr == 0.01);
  REQUIRE(machine.precision() == Precision{6, 8});
  machine.end_epoch(1);
  REQUIRE(machine.end_epoch(2).lr_factor == 0.2);  // the point's own policy
  machine.end_epoch(1);
  machine.end_epoch(0.999);
  REQUIRE(machine.precision() == Precision{4, 8});
  machine.end_epoch(1);
  REQUIRE_FALSE(machine.end_epoch(0.999).changed);
  REQUIRE_FALSE(machine.end_epoch(100).reload_best);  // it has ended
}

TEST_CASE("relaxation: a point may change the learning rate alone", "[quant]") {
  RelaxationMachine machine(rule_from("{custom_scaler: [{W_bits: 8, x_bits: 8, lr: 0.01}, {W_bits: 8, x_bits: 8, "
                                      "lr: 0.001}, {W_bits: 6, x_bits: 6, lr: 0.0005}]}"),
                            {8, 8});
  for (const double lr : {0.01, 0.001, 0.0005}) {
    machine.end_epoch(1);
    const auto decision = machine.end_epoch(0.999);
    REQUIRE(decision.lr == lr);
    REQUIRE(decision.changed == (lr == 0.0005));
  }
  REQUIRE(machine.precision() == Precision{6, 6});
}

TEST_CASE("relaxation: where no grid can be lowered any more it ends", "[quant]") {
  RelaxationMachine machine(rule_from("{}"), {8, 8});
  machine.end_epoch(1);
  const auto decision = machine.end_epoch(0.999, /*can_lower=*/false);
  REQUIRE_FALSE(decision.changed);
  REQUIRE(decision.lr_factor == 1);
  REQUIRE(machine.precision() == Precision{8, 8});
  REQUIRE_FALSE(machine.end_epoch(100).reload_best);
}

TEST_CASE("relaxation: regimes force bits from an epoch on", "[quant]") {
  RelaxationMachine machine(rule_from("{regimes: {2: {W_bits: 5, x_bits: 6}}}"), {8, 8});
  REQUIRE_FALSE(machine.begin_epoch(1).changed);
  REQUIRE(machine.begin_epoch(2).changed);
  REQUIRE(machine.precision() == Precision{5, 6});
  REQUIRE_FALSE(machine.begin_epoch(2).changed);
}

TEST_CASE("relaxation: what it keeps goes on as if nothing had happened", "[quant]") {
  const auto rule = rule_from("{running_avg_memory: 2}");
  RelaxationMachine machine(rule, {8, 8});
  const std::vector<double> losses{2, 1.7, 1.6, 1.597, 1.59, 1.589};
  for (const double loss : losses) {
    RelaxationMachine copy(rule, {16, 16});
    copy.load(nlohmann::json::parse(machine.save().dump()));
    const auto a = machine.end_epoch(loss), b = copy.end_epoch(loss);
    REQUIRE(a.changed == b.changed);
    REQUIRE(machine.save() == copy.save());
  }
}

TEST_CASE("relaxation: what its arguments refuse", "[quant]") {
  REQUIRE_THROWS_WITH(rule_from("{bit_scaler: 1}"), Catch::Contains(" 'bit_scaler' "));
  REQUIRE_THROWS_WITH(rule_from("{lr_scaler: 0}"), Catch::Contains("lr_scaler"));
  REQUIRE_THROWS_WITH(rule_from("{custom_scaler: [{W_bits: 4}]}"), Catch::Contains("x_bits"));
  REQUIRE_THROWS_WITH(rule_from("{regimes: {early: {W_bits: 4, x_bits: 4}}}"), Catch::Contains("'epoch of regimes'"));
  REQUIRE_THROWS_WITH(rule_from("{regimes: 4}"), Catch::Contains("'regimes' must be a map from epochs to bits"));
  REQUIRE_THROWS_WITH(rule_from("{custom_scaler: 4}"), Catch::Contains("'custom_scaler' must be a list"));
}
