#pragma once

#include "core/text.h"
#include "quant/insertion/insertion.h"
#include "quant/quantizer.h"
#include "quant/training/bit_schedule.h"
#include "quant/training/conv_batch_normalization.h"
#include "quant/training/relaxation.h"

#include <optional>
#include <string>

namespace compress::quant {

/// Bits of one layer, as every quantiser that trains has them; 32 or null: floating point.
struct TrainingBits {
  std::optional<int64_t> activations = 32, weights = 32, bias = 32;
  int64_t least_weights = 2;

  void declare(Settings& settings);
  void check() const;
  /// Biases follow their own extremes.
  TensorRule bias_rule() const;
};

/// What training quantisers do besides saying how each layer is quantised: they put FakeQuantize nodes on the graph at
/// the first epoch of their policy, calibrated where learned ranges have to start somewhere, and lower bits by a
/// schedule or by relaxation. A preset derives from RuledQuantizer below.
class TrainingQuantizer : public Quantizer {
public:
  void declare(Settings& settings) override;
  void check() const override;
  void check_epochs(int64_t last) const override;
  void bind(const Graph& graph, Problems& problems) override;
  void rehearse(const Graph& graph) const override;
  bool post_training() const final { return false; }
  int64_t calibration_samples() const final { return calibrates_ ? samples_ : 0; }
  Changes prepare(Graph& graph, const Calibration& calibration) override;
  std::string unmet() const override { return unmet_; }

  void on_training_begin(train::State& state) override;
  void on_epoch_begin(train::State& state) override;
  void on_minibatch_begin(train::State& state) override;
  void on_epoch_end(train::State& state) override;
  void on_training_end(train::State& state) override;
  train::Memory save() const override;
  void load(const train::Memory& memory) override;

protected:
  enum class Calibrates { no, yes };
  enum class Inputs { kept, quantised };
  TrainingQuantizer(Calibrates calibrates, Inputs inputs)
      : quantize_inputs_(inputs == Inputs::quantised), calibrates_(calibrates == Calibrates::yes) {}

  virtual LayerRules rules() const = 0;
  virtual std::string layer_arguments() const = 0;

  Yaml overrides_;
  bool quantize_inputs_;
  bool quantize_outputs_ = false;
  BatchNormFolding folding_;  ///< none: batch-norm stays a node in training

private:
  /// The least bits of weights and of values that some layer ends with; 32: none is on a grid.
  Precision own_bits(const LayerRules& rules) const;
  InsertionOptions options(const LayerRules& rules) const;
  /// Where methods that start from a range start.
  ValueRanges first_ranges(const Graph& graph, std::vector<SharedGrid> grids, const Calibration& calibration) const;

  bool calibrates_;
  int64_t samples_ = 512;
  std::optional<int64_t> bits_inputs_;
  BitSchedule schedule_;
  Relaxation relaxation_;
  std::string unmet_;
};

/// `Arguments` is copyable and has declare_layer(Settings&), check() and rule(): the arguments of a layer, which
/// `overrides` may change for some of them.
template <class Arguments>
class RuledQuantizer : public TrainingQuantizer {
public:
  using TrainingQuantizer::TrainingQuantizer;

  void declare(Settings& settings) override {
    arguments_.declare_layer(settings);
    TrainingQuantizer::declare(settings);
  }
  void check() const override {
    arguments_.check();
    TrainingQuantizer::check();
  }

protected:
  LayerRules rules() const override { return layer_rules(overrides_, arguments_); }
  std::string layer_arguments() const override {
    auto arguments = arguments_;
    Settings settings;
    arguments.declare_layer(settings);
    std::vector<std::string> names;
    for (const auto& field : settings.fields()) names.push_back(field.name);
    return join_words(names);
  }

  Arguments arguments_;
};

}  // namespace compress::quant
