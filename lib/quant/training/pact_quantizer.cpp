#include "quant/training/relu_arguments.h"

#include <algorithm>

/// PACT (Choi et al. 2018) as Distiller has it: each output of a ReLU is clipped at an alpha of its own, which learns
/// from what it clips and is drawn to 0 by weight decay; weights by DoReFa.
namespace compress::quant {
namespace {

struct PactArguments : ReluArguments {
  double clip = 8;

  PactArguments() { least_weights = 1; }
  void declare_layer(Settings& settings) {
    ReluArguments::declare_layer(settings);
    settings.optional("act_clip_init_val", clip, "alpha to begin with", above(0));
  }
  LayerRule rule() const {
    return rule_of({.bits = activations, .grid = kUnsigned, .range = Extremes{0, clip}, .method = "pact"},
                   {.bits = weights, .grid = kSymmetric, .method = "dorefa"});
  }
};

class PactQuantizer final : public RuledQuantizer<PactArguments> {
public:
  PactQuantizer() : RuledQuantizer(Calibrates::no, Inputs::kept) {}

  void declare(Settings& settings) override {
    RuledQuantizer::declare(settings);
    settings.optional("act_clip_decay", decay_, "weight decay of the alphas; null: the optimiser's", at_least(0));
  }

  /// Resumed training may be past the policy's epochs.
  void on_training_begin(train::State& state) override {
    RuledQuantizer::on_training_begin(state);
    decay_alphas(state);
  }
  void on_epoch_begin(train::State& state) override {
    RuledQuantizer::on_epoch_begin(state);
    decay_alphas(state);
  }

private:
  void decay_alphas(train::State& state) const {
    if (!decay_) return;
    constexpr const char* kAlphas = "*.quantizer.alpha";
    const auto names = state.graph.parameter_names();
    if (std::ranges::none_of(names, [](const std::string& name) { return glob_match(kAlphas, name); })) return;
    if (state.optimizer.add_group({.parameters = {kAlphas}, .weight_decay = decay_})) state.graph.touch();
  }

  std::optional<double> decay_;
};

}  // namespace

extern const Entry<Quantizer> pact_quantizer{
    .name = "PACTQuantizer",
    .doc = "outputs of ReLUs clipped where training learns to, weights by their tanh (PACT; Distiller's)",
    .make = make_component<Quantizer, PactQuantizer>};

}  // namespace compress::quant
