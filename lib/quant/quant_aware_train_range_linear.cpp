#include "quant/conv_batch_normalization.h"
#include "quant/insertion.h"
#include "quant/quantizer.h"

/// Distiller's QuantAwareTrainRangeLinearQuantizer (distiller.md 2.4): training runs on the grids of the quantised
/// network; ranges of values are bias-corrected moving averages of each batch's least and greatest number, those of
/// weights follow the weights at every step. Differences: every value that needs a grid has one, not only the outputs
/// of ReLUs, and convolution with batch-norm is one node that quantises the folded weight.
namespace compress::quant {
namespace {

enum class GridMode { symmetric, symmetric_restricted, asymmetric_unsigned, asymmetric_signed };

ops::GridSpec spec_of(GridMode mode) {
  switch (mode) {
  case GridMode::symmetric: return {.is_signed = true, .symmetric = true};
  case GridMode::symmetric_restricted: return {.is_signed = true, .narrow = true, .symmetric = true};
  case GridMode::asymmetric_unsigned: return {.is_signed = false, .symmetric = false};
  case GridMode::asymmetric_signed: return {.is_signed = true, .symmetric = false};
  }
  return {};
}

class QuantAwareTrainRangeLinearQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    declare_bits(s, "bits_activations", bits_.activations, "bits of values between operators");
    declare_bits(s, "bits_weights", bits_.weights, "bits of weights");
    declare_bits(s, "bits_bias", bits_.bias, "bits of biases");
    s.optional("overrides", overrides_yaml_,
               "map from a pattern of node names to {bits_activations, bits_weights, bits_bias}; the first match wins");
    s.choice("mode", mode_,
             {{"SYMMETRIC", GridMode::symmetric},
              {"SYMMETRIC_RESTRICTED", GridMode::symmetric_restricted},
              {"ASYMMETRIC_UNSIGNED", GridMode::asymmetric_unsigned},
              {"ASYMMETRIC_SIGNED", GridMode::asymmetric_signed}},
             "grid of values and weights");
    s.optional("ema_decay", ema_decay_, "share of the old average in a new one",
               Range{.low = 0, .high = 1, .open_low = true, .open_high = true});
    s.optional("per_channel_wts", per_channel_, "a scale for each output channel of a weight instead of one");
    s.optional("quantize_inputs", quantize_inputs_, "also puts the graph's inputs on a grid");
    s.optional("num_bits_inputs", bits_inputs_, "bits of the graph's inputs; null: bits_activations", in(2, 32));
    s.optional("fold_batchnorm", fold_,
               "convolution and batch-norm become one node, which quantises the folded weight by a symmetric scale per "
               "channel");
    s.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
  }

  void check() const override {
    check_bits("bits_activations", bits_.activations);
    check_bits("bits_weights", bits_.weights);
    check_bits("bits_bias", bits_.bias);
    check_bits("num_bits_inputs", bits_inputs_);
    overrides();
  }

  void bind(const Graph& graph, Problems& problems) override {
    problems.capture([&] { overrides().check_names(graph, problems); });
    refuse_quantised(graph, problems);
  }

  bool post_training() const override { return false; }

  Changes prepare(Graph& graph, const Calibration&) override {
    const auto overrides = this->overrides();
    const auto spec = spec_of(mode_);
    const InsertionOptions options{.overrides = overrides,
                                   .activations = spec,
                                   .weights = spec,
                                   .per_channel_weights = per_channel_,
                                   .quantize_inputs = quantize_inputs_,
                                   .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none,
                                   .bits_inputs = bits_inputs_,
                                   .ema_decay = ema_decay_};
    Changes changes;
    if (fold_) changes = join_conv_batch_normalization(graph, options);
    const auto grids = find_grids(graph, options.outputs);
    changes.append(insert_quantizers(graph, grids, options));
    return changes;
  }

private:
  Overrides overrides() const { return {overrides_yaml_, bits_}; }

  LayerBits bits_{.activations = 32, .weights = 32, .bias = 32};
  Yaml overrides_yaml_;
  GridMode mode_ = GridMode::symmetric;
  double ema_decay_ = 0.999;
  bool per_channel_ = false;
  bool quantize_inputs_ = true;
  std::optional<int64_t> bits_inputs_;
  bool fold_ = true;
  bool quantize_outputs_ = false;
};

}  // namespace

extern const Entry<Quantizer> quant_aware_train_range_linear{
    .name = "QuantAwareTrainRangeLinearQuantizer",
    .doc = "trains on the grids of the quantised network; ranges are moving averages (Distiller's)",
    .make = make_component<Quantizer, QuantAwareTrainRangeLinearQuantizer>};

}  // namespace compress::quant
