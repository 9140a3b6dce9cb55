#pragma once

#include "core/settings.h"
#include "quant/training/quantizer_bits.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

enum class DivergencePolicy { change_precision, lower_lr };

/// When NEMO's RelaxationEngine lowers the precision; names and defaults are those of its precision_rule.
struct RelaxationRule {
  int64_t for_epochs = 1, for_epochs_no_abs_bound = 3, running_avg_memory = 5;
  double delta_loss_less_than = 0.01, delta_loss_running_std_stale = 1.5, abs_loss_stale = 1.4;
  double divergence_abs_threshold = 1e9;
  bool scale_lr = true;
  double lr_scaler = 4.0;
  bool scale_weights = true, scale_values = true;  ///< scale_W, scale_x
  Precision step{-1, -1};                          ///< W_bit_scaler, x_bit_scaler
  Precision stop{2, 2};                            ///< W_bit_stop_condition, x_bit_stop_condition
  DivergencePolicy divergence_policy = DivergencePolicy::change_precision;
  double divergence_lr_scaler = 0.2;
  /// In place of the steps: the points to come to, one after the other.
  struct Point {
    Precision bits;
    double lr = 0;
    DivergencePolicy divergence_policy = DivergencePolicy::change_precision;
  };
  std::vector<Point> custom_scaler;
  std::map<int64_t, Precision> regimes;  ///< bits forced from the beginning of an epoch on
};

/// The state machine: told the loss of each epoch, it says what the next one trains with.
///
/// The improvements loss_before - loss of the last `running_avg_memory` epochs have a mean and a standard deviation.
/// Counter A counts epochs in a row with mean < delta_loss_less_than, deviation < delta_loss_running_std_stale and loss
/// < abs_loss_stale, counter B the same without the last. A = for_epochs or B = for_epochs_no_abs_bound: training is
/// stale, and the bits are lowered (and the learning rate multiplied by lr_scaler) until both are at their stop
/// condition. Mean < 0 or loss > divergence_abs_threshold: it diverges; the best weights of this precision come back,
/// and the learning rate is multiplied by divergence_lr_scaler (three times at most) or the bits are lowered. Each
/// change of precision begins with an empty memory. (NEMO's slice of the memory leaves out its oldest entry; here all
/// count.)
class RelaxationMachine {
public:
  RelaxationMachine(const RelaxationRule& rule, Precision first);

  struct Decision {
    bool keep_as_best = false;  ///< the loss is the best of this precision so far
    bool reload_best = false;
    bool changed = false;      ///< precision() is another
    double lr_factor = 1;      ///< on the present learning rate
    std::optional<double> lr;  ///< in place of it
  };
  /// Forced regimes; nothing when the epoch has none.
  Decision begin_epoch(int64_t epoch);
  /// `can_lower`: some grid still has more bits than its own.
  Decision end_epoch(double loss, bool can_lower = true);

  Precision precision() const { return precision_; }

  nlohmann::json save() const;
  void load(const nlohmann::json& values);

private:
  void forget();
  bool stale(double loss);
  bool diverges(double loss) const;
  double mean() const;
  double deviation() const;
  void lower(Decision& decision, bool can_lower);
  Decision diverge(bool can_lower);
  DivergencePolicy divergence_policy() const;

  RelaxationRule rule_;
  Precision precision_;
  std::optional<double> loss_, best_;
  std::deque<double> improvements_;
  int64_t stale_ = 0, stale_unbounded_ = 0, slowed_ = 0, point_ = 0;
  bool ended_ = false;
};

/// A number that may be missing, as null.
nlohmann::json optional_number(const std::optional<double>& value);
std::optional<double> number_or_nothing(const nlohmann::json& value);

/// Declares the rule's arguments.
void declare_rule(Settings& settings, RelaxationRule& rule);

}  // namespace compress::quant
