#include "quant/rules/linear_arguments.h"

#include "core/log.h"
#include "core/text.h"
#include "quant/insertion/insertion.h"
#include "quant/rules/input_overrides.h"

#include <nlohmann/json.hpp>

namespace compress::quant {
namespace {

std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const auto& [name, mode] : distiller_modes()) names.push_back(name);
  return names;
}

ops::GridSpec read_mode(const Yaml& value) {
  const auto word = from_yaml<std::string>(value, "mode");
  for (const auto& [name, mode] : distiller_modes())
    if (name == word) return mode;
  throw request_error("unknown mode '{}'", word)
      .at(value.place)
      .hint(did_you_mean(word, mode_names()))
      .hint("one of " + join_words(mode_names(), "or"));
}

Yaml print_mode(const ops::GridSpec& mode) {
  for (const auto& [name, known] : distiller_modes())
    if (known == mode) return Yaml::scalar(name);
  return {};
}

std::shared_ptr<const Observer> make_observer(const char* name, const char* argument, const std::string& value) {
  auto observer = observers().make(name);
  Settings settings;
  observer->declare(settings);
  auto arguments = Yaml::map();
  arguments.set(argument, Yaml::scalar(value));
  settings.read(arguments, name);
  return observer;
}

}  // namespace

void LinearArguments::Values::declare(Settings& s) {
  declare_bits(s, "bits_activations", bits, "bits of the input");
  s.choice("mode", mode, distiller_modes(), "grid of the input");
  declare_clip(s);
  s.optional("from_output", from_output, "as the layer's output");
}

void LinearArguments::Values::declare_clip(Settings& s) {
  s.choice("clip_acts", clip,
           {{"NONE", Clip::none},
            {"AVG", Clip::avg},
            {"N_STD", Clip::n_std},
            {"GAUSS", Clip::gauss},
            {"LAPLACE", Clip::laplace}},
           "range of values: all of it; means of the samples' extremes; clip_n_stds standard deviations; the best clip "
           "of a normal or Laplace distribution");
  s.optional("clip_n_stds", n_stds, "standard deviations to either side of the mean, with N_STD", above(0));
  s.optional("clip_half_range", half_range, "GAUSS and LAPLACE: the distribution's upper half (always behind a ReLU)");
}

void LinearArguments::Values::check() const {
  check_bits("bits_activations", bits);
  if (clip == Clip::n_std && !n_stds)
    throw request_error("'clip_acts: N_STD' needs 'clip_n_stds'").hint("clip_n_stds: 2");
  if (dynamic && (clip == Clip::n_std || clip == Clip::gauss || clip == Clip::laplace))
    throw request_error("'clip_acts' other than NONE and AVG needs statistics, but quantisation is dynamic")
        .hint("give 'model_activation_stats' or 'calibration_samples'");
}

TensorRule LinearArguments::Values::rule(bool half) const {
  TensorRule rule{.bits = bits, .grid = mode};
  const std::string word = half ? "true" : "false";
  if (clip == Clip::avg) rule.observer = observers().make("averaged_min_max");
  if (clip == Clip::n_std) rule.observer = make_observer("n_std", "n", fmt::format("{}", n_stds.value_or(1)));
  if (clip == Clip::gauss) rule.observer = make_observer("aciq_gauss", "half_range", word);
  if (clip == Clip::laplace) rule.observer = make_observer("aciq_laplace", "half_range", word);
  if (!dynamic) return rule;
  rule.method = "dynamic";
  rule.observer = nullptr;
  rule.method_arguments.set("clip", clip == Clip::avg ? "average" : "none");
  return rule;
}

Field LinearArguments::mode_field() {
  Field field{.name = "mode",
              .type = "word or map of activations and weights",
              .doc = "grid of values and weights: one for both, or {activations: MODE, weights: MODE}"};
  field.read = [this](const Yaml& value) {
    if (!value.is_map()) {
      values.mode = weight_mode = read_mode(value);
      return;
    }
    Settings settings;
    settings.choice("activations", values.mode, distiller_modes(), "grid of values");
    settings.choice("weights", weight_mode, distiller_modes(), "grid of weights");
    settings.read(value, "mode");
  };
  field.print = [this] {
    if (values.mode == weight_mode) return print_mode(weight_mode);
    auto both = Yaml::map();
    both.set("activations", print_mode(values.mode));
    both.set("weights", print_mode(weight_mode));
    return both;
  };
  field.schema = [] {
    const nlohmann::json word{{"enum", mode_names()}};
    return nlohmann::json{{"anyOf",
                           {word,
                            {{"type", "object"},
                             {"properties", {{"activations", word}, {"weights", word}}},
                             {"additionalProperties", false}}}}};
  };
  return field;
}

void LinearArguments::declare_common(Settings& s) {
  declare_bits(s, "bits_activations", values.bits, "bits of values between operators");
  s.custom(mode_field());
  values.declare_clip(s);
  s.optional("per_channel_wts", per_channel, "a scale for each output channel of a weight instead of one");
  s.optional("fpq_module", fpq_module,
             "16, 32 or 64: layers compute in floating point of so many bits; only their "
             "outputs are quantised");
  s.optional("fp16", fp16, "the old word for fpq_module: 16");
  s.optional("scale_approx_mult_bits", mult_bits,
             "bits of the integer that, with a shift, stands for s_x * s_w / s_y; null: exact", in(2, 31));
  s.optional("bits_accum", bits_accum, "width of the sums in a layer, and of its bias", in(2, 32));
}

void LinearArguments::declare_defaults(Settings& s) {
  declare_common(s);
  declare_bits(s, "bits_parameters", bits_parameters,
               "bits of weights; null, with bits_activations given: layers compute in floating point and only their "
               "outputs are quantised");
  s.optional("also_clip_weights", also_clip_weights, "clip_acts holds for weights too");
}

void LinearArguments::declare_layer(Settings& s) {
  declare_common(s);
  declare_bits(s, "bits_weights", bits_parameters, "bits of the weight");
  s.ignored("bits_bias", "a bias has the width of the sums: bits_accum");
  s.optional("fake", fake, "computes in floating point; only the output is quantised");
  s.optional("make_identity", make_identity, "takes the layer out: its input is its output");
  s.optional("quantize_inputs", quantize_inputs, "false: inputs that no layer puts on a grid stay in floating point");
  s.optional(
      "input_overrides", input_overrides,
      "map from the index of an input to {from_output: true} or {bits_activations, mode, clip_acts, clip_n_stds}, "
      "for inputs that no layer puts on a grid");
}

void LinearArguments::check() const {
  values.check();
  check_bits("bits_parameters", bits_parameters);
  check_fpq_module(fpq_module);
  if (fp16 && fpq_module && *fpq_module != 16)
    throw request_error("'fp16' means fpq_module: 16, but 'fpq_module' is {}", *fpq_module).hint("leave 'fp16' out");
  if (also_clip_weights && per_channel && values.clip == Clip::n_std)
    throw request_error("'clip_acts: N_STD' does not go with weights per channel")
        .hint("set 'also_clip_weights' or 'per_channel_wts' to false");
  rule();
}

LayerRule LinearArguments::rule() const {
  if (fp16) log::warning("'fp16: true' is an old word: write 'fpq_module: 16'");
  LayerRule rule{.activations = values.rule(),
                 .weights = {.bits = bits_parameters, .grid = weight_mode, .per_channel = per_channel},
                 .rectified = values.rule(true),
                 .scale_approx_mult_bits = mult_bits,
                 .fake = fake || (!quantised(bits_parameters) && quantised(values.bits)),
                 .fpq_module = fp16 ? std::optional<int64_t>(16) : fpq_module,
                 .make_identity = make_identity,
                 .quantize_inputs = quantize_inputs};
  auto clips = values;
  clips.dynamic = false;
  if (also_clip_weights) rule.weights.observer = clips.rule(false).observer;
  if (bits_accum < 32) rule.bits_accum = bits_accum;
  // Without grids of values there is no grid of sums: the bias has its own.
  if (!quantised(values.bits) && bits_accum < 32) rule.bias = {.bits = bits_accum, .grid = kBiasGrid};
  rule.inputs = read_input_overrides(input_overrides, values);
  return rule;
}

}  // namespace compress::quant
