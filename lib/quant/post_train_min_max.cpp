#include "passes/pass.h"
#include "quant/insertion.h"
#include "quant/quantizer.h"

/// Quantises a trained network without training it: ranges of values are the least and the greatest number that
/// calibration sees, those of weights their own. The right choice for 8 bits; below that, quantisation-aware training
/// keeps more accuracy.
namespace compress::quant {
namespace {

class PostTrainMinMaxQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    declare_bits(s, "bits_activations", bits_.activations, "bits of values between operators");
    declare_bits(s, "bits_weights", bits_.weights, "bits of weights");
    s.optional("per_channel_weights", per_channel_, "a scale for each output channel of a weight instead of one");
    s.choice("activations", activations_,
             {{"asymmetric_unsigned", {.is_signed = false, .symmetric = false}},
              {"asymmetric_signed", {.is_signed = true, .symmetric = false}},
              {"symmetric", {.is_signed = true, .narrow = true, .symmetric = true}}},
             "grid of values; that of weights is symmetric");
    s.optional("overrides", overrides_yaml_,
               "map from a pattern of node names to {bits_activations, bits_weights}; the first match wins");
    s.optional("calibration_samples", samples_, "training samples that calibration runs on", at_least(1));
    s.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
  }

  void check() const override {
    check_bits("bits_activations", bits_.activations);
    check_bits("bits_weights", bits_.weights);
    overrides();
  }

  void bind(const Graph& graph, Problems& problems) override {
    problems.capture([&] { overrides().check_names(graph, problems); });
    refuse_quantised(graph, problems);
  }

  bool post_training() const override { return true; }
  int64_t calibration_samples() const override { return samples_; }

  Changes prepare(Graph& graph, const Calibration& calibration) override {
    auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
    const auto overrides = this->overrides();
    const InsertionOptions options{.overrides = overrides,
                                   .activations = activations_,
                                   .weights = {.is_signed = true, .narrow = true, .symmetric = true},
                                   .per_channel_weights = per_channel_,
                                   .outputs = outputs()};
    const auto grids = find_grids(graph, options.outputs);
    std::vector<std::string> observed;
    for (const auto& grid : grids)
      if (quantised(grid_bits(graph, grid, options)))
        observed.insert(observed.end(), grid.values.begin(), grid.values.end());
    ValueRanges ranges;
    if (!observed.empty()) ranges = observe_ranges(graph, observed, calibration.batches, samples_);
    changes.append(insert_quantizers(graph, grids, options, ranges));
    return changes;
  }

private:
  Overrides overrides() const { return {overrides_yaml_, bits_, Overrides::Bias::refused}; }
  OutputGrids outputs() const { return quantize_outputs_ ? OutputGrids::all : OutputGrids::none; }

  LayerBits bits_{.activations = 8, .weights = 8};
  bool per_channel_ = true;
  ops::GridSpec activations_{.is_signed = false, .symmetric = false};
  Yaml overrides_yaml_;
  int64_t samples_ = 512;
  bool quantize_outputs_ = false;
};

}  // namespace

extern const Entry<Quantizer> post_train_min_max{
    .name = "PostTrainMinMaxQuantizer",
    .doc = "quantises a trained network by the ranges that calibration samples show",
    .make = make_component<Quantizer, PostTrainMinMaxQuantizer>};

}  // namespace compress::quant
