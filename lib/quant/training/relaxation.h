#pragma once

#include "core/settings.h"
#include "quant/training/quantizer_bits.h"
#include "quant/training/relaxation_rule.h"
#include "train/hook.h"

#include <map>
#include <optional>
#include <string>

namespace compress::quant {

/// NEMO's RelaxationEngine within training: begins with many bits and lowers them as the training loss becomes stale,
/// down to each grid's own (bits_weights, bits_activations, overrides: NEMO's min_prec_dict). A quantiser holds one
/// and calls it from its own hooks, behind prepare(). Decisions fall at the end of an epoch and take effect at the
/// beginning of the next, so that an epoch's metrics and checkpoint have the same bits.
class Relaxation {
public:
  /// The argument `relaxation`: a map of the rule's arguments, W_bits and x_bits to begin with, reset_alpha_weights and
  /// reset_alpha_below_6bits. Absent: the bits stay.
  void declare(Settings& settings);
  bool given() const { return given_; }
  /// Throws a request error when it would never hold bits above `own`, the least that grids end with.
  void check(const Precision& own) const;
  /// Throws a request error when it speaks of an epoch behind the policy's last one.
  void check_epochs(int64_t last) const;
  void on_training_begin(train::State& state) const;
  void on_epoch_begin(train::State& state);
  void on_minibatch_begin(train::State& state);
  void on_epoch_end(train::State& state);
  void save(train::Memory& memory) const;
  void load(const train::Memory& memory);
  /// As Quantizer::unmet(): "" when the bits are those asked for.
  std::string unmet(const Graph& graph) const;

private:
  void declare_arguments(Settings& settings);
  void begin(const Graph& graph);
  void obey(const RelaxationMachine::Decision& decision, train::State& state);
  void change_bits(train::State& state);
  void keep_best(const train::State& state);
  void reload_best(train::State& state);
  bool fits_best(const Graph& graph) const;

  bool given_ = false;
  RelaxationRule rule_;
  Precision first_;
  bool reset_alpha_weights_ = true, reset_alpha_below_6bits_ = false;
  std::optional<RelaxationMachine> machine_;
  RelaxationMachine::Decision decided_;  ///< at the end of the last epoch
  double lr_factor_ = 1;                 ///< on the learning rate, on top of what learning-rate policies say
  std::optional<double> lr_;             ///< to come to when the policies have said their factor
  BitFloor floor_;
  std::map<std::string, at::Tensor> best_;  ///< "parameter/NAME" and "optimizer/SLOT/NAME"
};

}  // namespace compress::quant
