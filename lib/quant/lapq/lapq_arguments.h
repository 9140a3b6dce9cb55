#pragma once

#include "quant/observer/observer.h"
#include "quant/rules/grid_words.h"
#include "quant/rules/layer_rules.h"

namespace compress::quant {

/// Where clips start.
enum class ClipStart { fitted, none, average, laplace, gauss, l1, l2, l3 };

/// The p that it says; 0: none, or one that is fitted.
inline double fixed_norm(ClipStart start) {
  switch (start) {
  case ClipStart::l1: return 1;
  case ClipStart::l2: return 2;
  case ClipStart::l3: return 3;
  default: return 0;
  }
}

/// Null: the extremes as ranges.
inline std::shared_ptr<const Observer> start_observer(ClipStart start) {
  switch (start) {
  case ClipStart::average: return observers().make("averaged_min_max");
  case ClipStart::laplace: return observers().make("aciq_laplace");
  case ClipStart::gauss: return observers().make("aciq_gauss");
  default: return nullptr;
  }
}

/// The arguments of LAPQ that a layer may have of its own, and where clips start.
struct LapqArguments {
  std::optional<int64_t> bits_activations = 4, bits_weights = 4;
  ops::GridSpec activations = kAsymmetricUnsigned, weights = kSymmetric;
  bool per_channel = false;
  ClipStart start = ClipStart::fitted;

  void declare_layer(Settings& s) {
    declare_bits(s, "bits_activations", bits_activations, "bits of values between operators");
    declare_bits(s, "bits_weights", bits_weights, "bits of weights");
    s.choice("activations", activations, integer_grid_words(),
             "grid of values; on the symmetric ones, values that cannot be negative are unsigned");
    s.choice("weights", weights, integer_grid_words(), "grid of weights");
    s.optional("per_channel_weights", per_channel,
               "a scale for each output channel of a weight; the search moves all scales of a weight by one factor");
  }
  void check() const {
    check_bits("bits_activations", bits_activations);
    check_bits("bits_weights", bits_weights);
  }
  LayerRule rule() const {
    const auto observer = start_observer(start);
    LayerRule rule{
        .activations = {.bits = bits_activations, .grid = activations, .observer = observer},
        .weights = {.bits = bits_weights, .grid = weights, .observer = observer, .per_channel = per_channel}};
    if (activations.symmetric) {
      rule.rectified = rule.activations;
      rule.rectified->grid = {.is_signed = false, .symmetric = true};
    }
    return rule;
  }
};

}  // namespace compress::quant
