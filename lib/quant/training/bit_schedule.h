#pragma once

#include "core/settings.h"
#include "quant/training/quantizer_bits.h"
#include "train/hook.h"

#include <cstdint>
#include <map>
#include <optional>

namespace compress::quant {

/// Gradual lowering of bits: training begins with more bits than asked for and comes down to them. No grid ever has
/// fewer bits than its own (bits_weights, bits_activations, overrides); the schedule only holds them above a floor. A
/// quantiser holds one and calls it from its own hooks, behind prepare().
///
/// `bits_schedule: {epoch: bits}` moves the floor at these epochs of training, of weights and values alike or apart
/// ({bits_weights: 6, bits_activations: 8}); `initial_bits` lowers it by `bits_step` at every active epoch of the
/// policy behind the first.
class BitSchedule {
public:
  void declare(Settings& settings);
  /// Throws a request error when both forms are given, or part of one, or when it would never hold bits above `own`,
  /// the least that grids end with.
  void check(const Precision& own) const;
  /// Throws a request error when it speaks of an epoch behind the policy's last one.
  void check_epochs(int64_t last) const;
  bool given() const { return initial_bits_ || !epochs_.empty(); }
  void on_epoch_begin(train::State& state);
  void save(train::Memory& memory) const;
  void load(const train::Memory& memory);
  /// What is left to be lowered, as Quantizer::unmet(); "" when the bits are those asked for.
  std::string unmet(const Graph& graph) const;

private:
  static Precision read_floor(const Yaml& value);
  /// The floor in this epoch.
  Precision floor_at(int64_t epoch) const;

  std::optional<int64_t> initial_bits_;
  std::optional<int64_t> step_;
  Yaml written_;
  std::map<int64_t, Precision> epochs_;
  int64_t lowered_ = -1;  ///< active epochs so far, but the first
  BitFloor floor_;
};

}  // namespace compress::quant
