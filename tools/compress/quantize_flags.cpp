#include "quantize_flags.h"

#include "core/log.h"
#include "core/text.h"
#include "quant/quantizer.h"
#include "quant/rules/grid_words.h"

#include <algorithm>
#include <filesystem>

namespace compress::tools {

/// `argument`: of the quantiser's class; "": the flag is more than one argument.
struct QuantizerFlags::Flag {
  enum class Kind { value, word, bits, list, path, on, ignored };

  const char* name;
  const char* brief;     ///< Distiller's other spelling
  const char* argument;  ///< ignored: why it has no effect
  Kind kind;
  const char* doc;
};

namespace {

constexpr const char* kGroup = "Quantiser";
constexpr const char* kLapq = "--qe-lapq";

/// Distiller's words for grids and, for formats that it lacks, those of the recipe.
const std::map<std::string, std::string>& grids() {
  static const auto words = [] {
    std::map<std::string, std::string> words{{"sym", "symmetric"},
                                             {"sym_restr", "symmetric_restricted"},
                                             {"asym_s", "asymmetric_signed"},
                                             {"asym_u", "asymmetric_unsigned"}};
    for (const auto& [word, spec] : quant::grid_words())
      if (!spec.is_integer()) words.emplace(word, word);
    return words;
  }();
  return words;
}
const std::map<std::string, std::string> kClips{{"none", "min_max"},
                                                {"avg", "averaged_min_max"},
                                                {"n_std", "n_std"},
                                                {"gauss", "aciq_gauss"},
                                                {"laplace", "aciq_laplace"}};

/// What stands behind a flag, as YAML: a number, a word, a list or a map.
Yaml value_of(const std::string& text, const std::string& flag) {
  return placed(parse_yaml(text, flag), flag);
}

std::string word_of(const std::map<std::string, std::string>& words, const std::string& text, const std::string& flag) {
  const auto word = to_lower(text);
  if (const auto found = words.find(word); found != words.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [ours, theirs] : words) {
    if (theirs == word) return word;
    known.push_back(ours);
  }
  throw request_error("unknown value '{}' of {}", text, flag)
      .hint(did_you_mean(word, known))
      .hint("one of " + join_words(known, "or"));
}

}  // namespace

Yaml placed(Yaml value, const std::string& flag) {
  value.place = {.file = flag};
  for (auto& item : value.items) item = placed(std::move(item), flag);
  return value;
}

std::span<const QuantizerFlags::Flag> QuantizerFlags::flags() {
  using enum Flag::Kind;
  static constexpr Flag kFlags[] = {
      {"--qe-bits-acts", "--qeba", "bits_activations", bits, "bits of activations; 0: they stay in floating point"},
      {"--qe-bits-wts", "--qebw", "bits_weights", bits, "bits of weights; 0: they stay in floating point"},
      {"--qe-bits-accum", "", "bits_accum", value, "bits of the accumulator"},
      {"--qe-mode", "--qem", "", value,
       "grid of activations and weights: sym, sym_restr, asym_s, asym_u, gfpq, float8_e4m3, ..."},
      {"--qe-mode-acts", "--qema", "", value, "grid of activations"},
      {"--qe-mode-wts", "--qemw", "", value, "grid of weights"},
      {"--qe-clip-acts", "--qeca", "", value, "range of activations: none, avg, n_std, gauss or laplace"},
      {"--qe-clip-n-stds", "", "", value, "with --qe-clip-acts n_std: how many standard deviations"},
      {"--qe-no-clip-layers", "--qencl", "no_clip_layers", list,
       "layers whose activations are not clipped, all words that follow"},
      {"--qe-no-quant-layers", "--qenql", "no_quant_layers", list,
       "layers that stay in floating point, all words that follow"},
      {"--qe-per-channel", "--qepc", "per_channel_weights", on,
       "a scale for each output channel of a weight (the default)"},
      {"--qe-per-tensor", "", "", on, "one scale for each weight"},
      {"--qe-scale-approx-bits", "--qesab", "scale_approx_mult_bits", value,
       "bits of the multipliers that stand for scales"},
      {"--qe-save-fp-weights", "", "weights stay in floating point until the network is exported", ignored,
       "no effect"},
      {"--qe-stats-file", "", "statistics", path, "take statistics of activations from this file"},
      {"--qe-dynamic", "", "dynamic", on, "ranges of activations follow each batch"},
      {"--qe-calibration", "", "calibration_fraction", value,
       "calibrate on this share of the training samples, in (0, 1]"},
      {"--samples", "", "calibration_samples", value, "calibrate on so many training samples"},
      {"--qe-config-file", "", "", path, "take the quantiser from the 'quantizers' section of this YAML file"},
      {"--observer", "", "observer", value, "who chooses ranges of activations (compress list observers)"},
      {"--weight-observer", "", "weight_observer", value, "who chooses ranges of weights"},
      {"--runtime", "", "runtime", value, "grids and operators as this runtime has them (compress list runtimes)"},
      {"--save-statistics", "", "save_statistics", path, "write the statistics of activations to this file"},
      {"--bias-correction", "", "bias_correction", on, "take the mean error of each layer off its bias"},
      {"--clip-search", "", "clip_search", on, "search the clip mode of each layer by the task's metric"},
      {"--qe-lapq", "", "", on, "search all clip values jointly by the loss (LAPQ)"},
      {"--lapq-maxiter", "", "maxiter", value, "iterations of the joint search"},
      {"--lapq-maxfev", "", "maxfev", value, "evaluations of the loss"},
      {"--lapq-method", "", "method", word, "method of the joint search"},
      {"--lapq-basinhopping", "--lapq-bh", "basinhopping", on, "several searches, each from a random step away"},
      {"--lapq-basinhopping-niter", "", "basinhopping_niter", value, "how many of them"},
      {"--lapq-init-mode", "", "init_mode", value, "where clips start: LP, NONE, AVG, GAUSS, LAPLACE, L1, L2 or L3"},
      {"--lapq-init-method", "", "init_method", word, "start layer by layer by this search, on the layers' outputs"},
      {"--lapq-eval-size", "", "eval_size", value, "training samples, or share of them, that the loss is measured on"},
      {"--lapq-eval-memoize-dataloader", "", "samples are kept in memory whenever they fit", ignored, "no effect"},
      {"--lapq-search-clipping", "", "search_clipping", on, "search both ends of asymmetric ranges, each by itself"},
  };
  return kFlags;
}

void QuantizerFlags::declare(CLI::App& app) {
  for (const auto& flag : flags()) add(app, flag);
}

void QuantizerFlags::add(CLI::App& app, const Flag& flag) {
  const std::string name = flag.name, names = name + (*flag.brief ? std::string(",") + flag.brief : "");
  const auto keep = [this, name](const CLI::results_t& results) {
    values_[name] = results;
    return true;
  };
  if (flag.kind == Flag::Kind::on || flag.kind == Flag::Kind::ignored) {
    app.add_flag_callback(
           names, [this, name] { values_[name] = {"true"}; },
           flag.kind == Flag::Kind::on ? flag.doc : fmt::format("{}: {}", flag.doc, flag.argument))
        ->group(kGroup);
    return;
  }
  auto* option =
      app.add_option(names, keep, flag.doc)->group(kGroup)->type_name(flag.kind == Flag::Kind::bits ? "INT" : "TEXT");
  if (flag.kind == Flag::Kind::list) option->expected(1, 10000)->allow_extra_args();
}

std::vector<std::string> QuantizerFlags::given_flags() const {
  std::vector<std::string> names;
  for (const auto& [name, values] : values_) names.push_back(name);
  return names;
}

/// Of several flags that say the same thing in different ways, one.
void QuantizerFlags::at_most_one(std::initializer_list<const char*> flags, const std::string& why) const {
  std::vector<std::string> found;
  for (const auto* flag : flags)
    if (given(flag)) found.emplace_back(flag);
  if (found.size() > 1)
    throw request_error("{} do not go together: {}", join_words(found), why).hint("keep one of them");
}

std::string QuantizerFlags::word(const std::string& flag) const {
  return given(flag) ? to_lower(values_.at(flag)[0]) : "";
}

bool QuantizerFlags::stays_floating(const std::string& bits_flag) const {
  return word(bits_flag) == "0" || word(bits_flag) == "32";
}

/// Without a grid, what chooses its form or its range has nothing to do.
void QuantizerFlags::check_effects() const {
  const std::string acts = "--qe-bits-acts", weights = "--qe-bits-wts";
  if (stays_floating(acts) && stays_floating(weights))
    throw request_error("{} {} and {} {} leave nothing to quantise", acts, word(acts), weights, word(weights));
  const auto refuse = [&](const std::string& bits_flag, const char* what, const std::vector<const char*>& idle) {
    for (const auto* flag : idle)
      if (stays_floating(bits_flag) && given(flag))
        throw request_error("{} has no effect beside {} {}: {} stay in floating point", flag, bits_flag,
                            word(bits_flag), what)
            .hint("leave one of the two out");
  };
  refuse(acts, "activations",
         {"--qe-mode-acts", "--qe-clip-acts", "--observer", "--qe-dynamic", "--qe-no-clip-layers", "--clip-search",
          "--save-statistics", "--qe-stats-file"});
  if (!given("--bias-correction") && !given(kLapq)) refuse(acts, "activations", {"--samples", "--qe-calibration"});
  refuse(weights, "weights", {"--qe-mode-wts", "--weight-observer", "--qe-per-channel", "--qe-per-tensor"});
}

void QuantizerFlags::check_lapq() const {
  for (const auto& flag : given_flags())
    if (flag.starts_with("--lapq-") && !given(kLapq)) throw request_error("{} needs {}", flag, kLapq);
  if (given("--lapq-basinhopping-niter") && !given("--lapq-basinhopping"))
    throw request_error("--lapq-basinhopping-niter needs --lapq-basinhopping");
  at_most_one({kLapq, "--qe-clip-acts"}, "LAPQ has no 'observer'");
  if (!given(kLapq)) return;
  Settings known;
  const auto lapq = quant::quantizers().make("LapqQuantizer");
  lapq->declare(known);
  for (const auto& flag : flags()) {
    const std::string argument = flag.argument;
    if (argument.empty() || flag.kind == Flag::Kind::ignored || argument.starts_with("calibration_")) continue;
    if (given(flag.name) && std::ranges::find(known.fields(), argument, &Field::name) == known.fields().end())
      throw request_error("{} and {} do not go together: LAPQ has no '{}'", kLapq, flag.name, argument)
          .hint("leave one of the two out");
  }
}

void QuantizerFlags::check() const {
  check_effects();
  check_lapq();
  at_most_one({"--qe-dynamic", "--qe-clip-acts"}, "dynamic ranges are the extremes of each batch");
  at_most_one({"--qe-clip-acts", "--observer"}, "each says who chooses the ranges of activations");
  at_most_one({"--samples", "--qe-calibration", "--lapq-eval-size"}, "each says which training samples are looked at");
  at_most_one({"--qe-per-channel", "--qe-per-tensor"}, "a weight has one scale or several");
  at_most_one({"--qe-mode", "--qe-mode-acts"}, "both give the grid of activations");
  at_most_one({"--qe-mode", "--qe-mode-wts"}, "both give the grid of weights");
  const bool n_std = word("--qe-clip-acts") == "n_std";
  if (n_std != given("--qe-clip-n-stds"))
    throw n_std ? request_error("--qe-clip-acts n_std needs --qe-clip-n-stds: how many standard deviations")
                : request_error("--qe-clip-n-stds needs --qe-clip-acts n_std");
}

Yaml QuantizerFlags::from_file() const {
  const std::string flag = "--qe-config-file";
  if (values_.size() > 1)
    throw request_error("{} and {} do not go together: the file says everything", flag,
                        given_flags()[0] == flag ? given_flags()[1] : given_flags()[0])
        .hint("write it into the file");
  const auto root = read_yaml(values_.at(flag)[0]);
  const auto* quantizers = root.find("quantizers");
  if (quantizers == nullptr || !quantizers->is_map() || quantizers->items.size() != 1)
    throw request_error("{} has no 'quantizers' section with one quantizer", values_.at(flag)[0])
        .at(root.place)
        .hint("quantizers: {quantizer: {class: PostTrainQuantizer, bits_weights: 8}}");
  for (const auto& key : root.keys)
    if (key != "quantizers" && key != "version" && key != "policies")
      throw request_error("{} takes a quantizer, and '{}' has a section '{}' besides", flag, values_.at(flag)[0], key)
          .at(root.key_place(key))
          .hint("'compress run' runs whole recipes");
  const auto& quantizer = quantizers->items[0];
  const auto* name = quantizer.find("class");
  if (const auto* entry = name ? quant::quantizers().find(name->text) : nullptr;
      entry && !entry->make()->post_training())
    throw request_error("{} trains with quantisation, and 'compress quantize' does not train", name->text)
        .at(name->place)
        .hint("write a recipe and use 'compress run'");
  return quantizer;
}

void QuantizerFlags::set_grids(Yaml& section) const {
  const auto grid = [&](const char* flag, std::initializer_list<const char*> arguments) {
    if (!given(flag)) return;
    for (const auto* argument : arguments)
      section.set(argument, placed(Yaml::scalar(word_of(grids(), values_.at(flag)[0], flag)), flag));
  };
  grid("--qe-mode", {"activations", "weights"});
  grid("--qe-mode-acts", {"activations"});
  grid("--qe-mode-wts", {"weights"});
  if (given("--qe-per-tensor")) section.set("per_channel_weights", placed(Yaml::scalar("false"), "--qe-per-tensor"));
}

void QuantizerFlags::set_observer(Yaml& section) const {
  const std::string flag = "--qe-clip-acts";
  if (!given(flag)) return;
  auto observer = Yaml::scalar(word_of(kClips, values_.at(flag)[0], flag));
  if (given("--qe-clip-n-stds")) {
    auto map = Yaml::map();
    map.set("class", observer);
    map.set("n", value_of(values_.at("--qe-clip-n-stds")[0], "--qe-clip-n-stds"));
    observer = std::move(map);
  }
  section.set("observer", placed(std::move(observer), flag));
}

Yaml QuantizerFlags::argument(const Flag& flag) const {
  const auto& values = values_.at(flag.name);
  switch (flag.kind) {
  case Flag::Kind::bits:
    if (values[0] == "0") return placed(Yaml{}, flag.name);
    break;
  case Flag::Kind::word: return placed(Yaml::scalar(word(flag.name)), flag.name);
  case Flag::Kind::path: return placed(Yaml::scalar(std::filesystem::absolute(values[0]).string(), true), flag.name);
  case Flag::Kind::list: {
    auto list = Yaml::sequence();
    for (const auto& value : values) list.items.push_back(Yaml::scalar(value, true));
    return placed(std::move(list), flag.name);
  }
  case Flag::Kind::value:
  case Flag::Kind::on:
  case Flag::Kind::ignored: break;
  }
  return value_of(values[0], flag.name);
}

Yaml QuantizerFlags::quantizer() const {
  if (given("--qe-config-file")) return from_file();
  check();
  auto section = Yaml::map();
  section.set("class", Yaml::scalar(given(kLapq) ? "LapqQuantizer" : "PostTrainQuantizer"));
  set_grids(section);
  set_observer(section);
  for (const auto& flag : flags()) {
    if (!*flag.argument || !given(flag.name)) continue;
    const std::string name = flag.argument;
    if (flag.kind == Flag::Kind::ignored)
      log::warning("{} has no effect: {}", flag.name, flag.argument);
    else
      section.set(given(kLapq) && name.starts_with("calibration_") ? "eval_size" : name, argument(flag));
  }
  return section;
}

}  // namespace compress::tools
