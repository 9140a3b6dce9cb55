#include "quant/post_training/post_training.h"
#include "quant/rules/grid_words.h"

/// Quantises a trained network without training it: ranges of values are the least and the greatest number that
/// calibration sees, those of weights their own. The right choice for 8 bits; below that, quantisation-aware training
/// keeps more accuracy.
namespace compress::quant {
namespace {

struct MinMaxArguments {
  std::optional<int64_t> activations = 8, weights = 8;
  ops::GridSpec grid = kAsymmetricUnsigned;
  bool per_channel = true;

  void declare_layer(Settings& s) {
    declare_bits(s, "bits_activations", activations, "bits of values between operators");
    declare_bits(s, "bits_weights", weights, "bits of weights");
  }
  void check() const {
    check_bits("bits_activations", activations);
    check_bits("bits_weights", weights);
  }
  LayerRule rule() const {
    return {.activations = {.bits = activations, .grid = grid},
            .weights = {.bits = weights, .grid = kSymmetricRestricted, .per_channel = per_channel}};
  }
};

class PostTrainMinMaxQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    arguments_.declare_layer(s);
    s.optional("per_channel_weights", arguments_.per_channel,
               "a scale for each output channel of a weight instead of one");
    s.choice("activations", arguments_.grid,
             {{"asymmetric_unsigned", kAsymmetricUnsigned},
              {"asymmetric_signed", kAsymmetricSigned},
              {"symmetric", kSymmetricRestricted}},
             "grid of values; that of weights is symmetric");
    s.optional(
        "overrides", overrides_,
        "map from a pattern of node names, or op:NAME, to {bits_activations, bits_weights}; the first match wins");
    s.optional("calibration_samples", samples_, "training samples that calibration runs on", at_least(1));
    s.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
  }

  void check() const override {
    arguments_.check();
    rules();
  }

  void bind(const Graph& graph, Problems& problems) override {
    problems.capture([&] { check_names(rules(), graph, problems); });
    refuse_quantised(graph, problems);
  }

  void rehearse(const Graph& graph) const override {
    const auto rules = this->rules();
    quant::rehearse(graph, options(rules), {});
  }

  bool post_training() const override { return true; }
  int64_t calibration_samples() const override { return samples_; }

  Changes prepare(Graph& graph, const Calibration& calibration) override {
    const auto rules = this->rules();
    return quantize_trained(graph, options(rules), {.samples = samples_}, calibration).changes;
  }

private:
  InsertionOptions options(const LayerRules& rules) const {
    return {.rules = rules, .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none};
  }
  LayerRules rules() const { return layer_rules(overrides_, arguments_); }

  MinMaxArguments arguments_;
  Yaml overrides_;
  int64_t samples_ = 512;
  bool quantize_outputs_ = false;
};

}  // namespace

extern const Entry<Quantizer> post_train_min_max{
    .name = "PostTrainMinMaxQuantizer",
    .doc = "quantises a trained network by the ranges that calibration samples show",
    .make = make_component<Quantizer, PostTrainMinMaxQuantizer>};

}  // namespace compress::quant
