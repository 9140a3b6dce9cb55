#include "quant/rules/layer_arguments.h"

#include "ops/grid_format.h"
#include "quant/insertion/insertion.h"
#include "quant/rules/input_overrides.h"

namespace compress::quant {
namespace {

std::vector<std::pair<std::string, std::optional<ops::GridSpec>>> words_or_runtime() {
  std::vector<std::pair<std::string, std::optional<ops::GridSpec>>> words{{"runtime", std::nullopt}};
  for (const auto& [word, grid] : grid_words()) words.emplace_back(word, grid);
  return words;
}

void check_format(std::string_view argument, const std::optional<int64_t>& bits, const TensorRule& rule) {
  if (!rule.quantised()) return;
  within(fmt::format("reading 'bits_{0}' and '{0}'", argument), [&] {
    ops::check_spec(rule.spec());
    if (rule.observer) rule.observer->check_format(rule.grid);
  });
  const bool sized = rule.grid.is_integer() || rule.grid.format == ops::GridFormat::gfpq;
  if (!sized && *bits != rule.spec().bits && *bits != 8)
    throw request_error("'bits_{}' is {}, but the format has {} bits", argument, *bits, rule.spec().bits)
        .hint("leave the bits out: the format says them");
}

}  // namespace

PartSetting<Observer> observer_setting(std::string name) {
  return {std::move(name), observers(), {}};
}

void LayerArguments::Values::declare(Settings& s) {
  declare_bits(s, "bits_activations", bits, "bits of values between operators");
  declare_grid(s);
  s.optional("from_output", from_output, "as the layer's output");
}

void LayerArguments::Values::declare_grid(Settings& s) {
  s.choice("activations", grid, words_or_runtime(), "grid or format of values; runtime: what the runtime takes");
  s.custom(observer.field("chooses the range of values from statistics (compress list observers); null: min_max",
                          nullptr, true));
}

void LayerArguments::Values::check() const {
  check_bits("bits_activations", bits);
  if (dynamic && observer.given())
    throw request_error("'observer' chooses ranges that stay, but quantisation is dynamic: each batch has its own")
        .hint("leave one of the two out");
  check_format("activations", bits, rule());
}

TensorRule LayerArguments::Values::rule() const {
  TensorRule rule{.bits = bits, .grid = kAsymmetricUnsigned};
  if (runtime) rule.grid = runtime->rule().activations.grid;
  if (grid) rule.grid = *grid;
  rule.grid.scale_rule = scale_rule;
  if (observer.given()) rule.observer = observer.make();
  if (dynamic) rule.method = "dynamic";
  return rule;
}

void LayerArguments::declare_defaults(Settings& s) {
  declare_bits(s, "bits_activations", values.bits, "bits of values between operators");
  declare_bits(s, "bits_weights", bits_weights, "bits of weights");
  declare_bits(s, "bits_bias", bits_bias,
               "bits of biases; null: on the grid of the accumulator, as integers of bits_accum");
  s.optional("bits_accum", bits_accum, "width of the sums in a layer, and of its bias; null: 32", in(2, 32));
  values.declare_grid(s);
  s.choice("weights", weights, words_or_runtime(), "grid or format of weights; runtime: what the runtime takes");
  s.custom(weight_observer.field("chooses the range of weights; null: min_max", nullptr, true));
  s.optional("per_channel_weights", per_channel,
             "a scale for each output channel of a weight instead of one; null: what the runtime takes");
  s.optional("group_size", group_size, "so many input channels of a weight share a scale; 0: all", at_least(0));
  s.choice("scale_rule", values.scale_rule, ops::scale_rules(),
           "scales as they come, or powers of two, so that a shift multiplies by them");
  s.optional("scale_approx_mult_bits", multiplier_bits,
             "bits of the integer that, with a shift, stands for s_x * s_w / s_y; null: exact", in(2, 31));
}

void LayerArguments::declare_layer(Settings& s) {
  declare_defaults(s);
  s.optional("fake", fake, "computes in floating point; only the output is quantised");
  s.optional("fpq_module", fpq_module, "16, 32 or 64: the same, in floating point of so many bits");
  s.optional(
      "input_overrides", input_overrides,
      "map from the index of an input to {bits_activations, activations, observer, from_output}, for inputs that "
      "no layer puts on a grid");
}

void LayerArguments::check() const {
  values.check();
  check_bits("bits_weights", bits_weights);
  check_bits("bits_bias", bits_bias);
  check_format("weights", bits_weights, weight_rule());
  if (group_size > 0 && !weight_rule().grid.is_integer())
    throw request_error("'group_size' goes with weights of integers").hint("leave it out for other formats");
  check_fpq_module(fpq_module);
  const auto rule = this->rule();
  if (!quant::quantised(bits_accum) || (!rule.float_bias && !rule.bias.quantised())) return;
  throw request_error("'bits_accum' is {}, but {}", *bits_accum,
                      rule.float_bias ? "this runtime keeps biases in floating point"
                                      : "'bits_bias' gives biases a grid of their own")
      .hint("a narrow accumulator adds the bias in its own steps: leave one of the two out");
}

TensorRule LayerArguments::weight_rule() const {
  TensorRule rule{.bits = bits_weights, .grid = kSymmetricRestricted, .per_channel = true};
  if (values.runtime) {
    rule.grid = values.runtime->rule().weights.grid;
    rule.per_channel = values.runtime->rule().weights.per_channel;
  }
  if (weights) rule.grid = *weights;
  if (rule.grid.format == ops::GridFormat::gfpq) rule.per_channel = false;  // the format has one scale
  if (per_channel) rule.per_channel = *per_channel;
  rule.grid.scale_rule = values.scale_rule;
  rule.group_size = group_size;
  if (weight_observer.given()) rule.observer = weight_observer.make();
  return rule;
}

LayerRule LayerArguments::rule() const {
  LayerRule rule{.activations = values.rule(),
                 .weights = weight_rule(),
                 .bias = {.bits = bits_bias, .grid = kBiasGrid},
                 .bits_accum = bits_accum,
                 .scale_approx_mult_bits = multiplier_bits,
                 .float_bias = values.runtime != nullptr && values.runtime->rule().float_bias,
                 .fake = fake,
                 .fpq_module = fpq_module};
  rule.inputs = read_input_overrides(input_overrides, values);
  return rule;
}

}  // namespace compress::quant
