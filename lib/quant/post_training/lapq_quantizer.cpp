#include "core/log.h"
#include "io/checkpoint.h"
#include "passes/pass.h"
#include "quant/lapq/joint_search.h"
#include "quant/lapq/layer_clips.h"
#include "quant/lapq/lp_clips.h"
#include "quant/lapq/nlopt_search.h"
#include "quant/lapq/p_fit.h"
#include "quant/lapq/powell.h"
#include "quant/post_training/bias_correction.h"
#include "quant/post_training/post_training.h"
#include "quant/rules/grid_words.h"

#include <algorithm>
#include <cmath>

/// Post-training quantisation to few bits by the task's loss (Nahshan et al. 2019, "Loss Aware Post-training
/// Quantization"): every clip starts where the p-norm of its own error is least, p where the loss is, and then all
/// clips are searched together. Arguments as in Distiller's ptq_lapq.
namespace compress::quant {
namespace {

/// Where clips start.
enum class ClipStart { fitted, none, average, laplace, gauss, l1, l2, l3 };

double fixed_norm(ClipStart start) {
  switch (start) {
  case ClipStart::l1: return 1;
  case ClipStart::l2: return 2;
  case ClipStart::l3: return 3;
  default: return 0;
  }
}

std::shared_ptr<const Observer> start_observer(ClipStart start) {
  switch (start) {
  case ClipStart::average: return observers().make("averaged_min_max");
  case ClipStart::laplace: return observers().make("aciq_laplace");
  case ClipStart::gauss: return observers().make("aciq_gauss");
  default: return nullptr;
  }
}

struct LapqArguments {
  std::optional<int64_t> bits_activations = 4, bits_weights = 4;
  ops::GridSpec activations = kAsymmetricUnsigned, weights = kSymmetric;
  bool per_channel = false;
  ClipStart start = ClipStart::fitted;

  void declare_layer(Settings& s) {
    declare_bits(s, "bits_activations", bits_activations, "bits of values between operators");
    declare_bits(s, "bits_weights", bits_weights, "bits of weights");
    s.choice("activations", activations, words(),
             "grid of values; on the symmetric ones, values that cannot be negative are unsigned");
    s.choice("weights", weights, words(), "grid of weights");
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

private:
  static std::vector<std::pair<std::string, ops::GridSpec>> words() {
    return {{"symmetric", kSymmetric},
            {"symmetric_restricted", kSymmetricRestricted},
            {"asymmetric_unsigned", kAsymmetricUnsigned},
            {"asymmetric_signed", kAsymmetricSigned}};
  }
};

class LapqQuantizer final : public Quantizer {
public:
  void declare(Settings& s) override {
    arguments_.declare_layer(s);
    s.optional("overrides", overrides_,
               "map from a pattern of node names, or op:NAME, to arguments of the layer; the first match wins");
    s.optional("quantize_outputs", quantize_outputs_, "also puts the graph's outputs on a grid");
    s.optional("eval_size", eval_size_, "training samples whose loss is searched: a number, or a share up to 1",
               above(0));
    s.choice("init_mode", arguments_.start,
             {{"LP", ClipStart::fitted},
              {"NONE", ClipStart::none},
              {"AVG", ClipStart::average},
              {"LAPLACE", ClipStart::laplace},
              {"GAUSS", ClipStart::gauss},
              {"L1", ClipStart::l1},
              {"L2", ClipStart::l2},
              {"L3", ClipStart::l3}},
             "where clips start: LP: the p-norm, p from 2 to 4, with the least loss by a parabola");
    auto methods = search_methods();
    methods.insert(methods.begin(), {"none", ""});
    s.choice("init_method", init_method_, methods,
             "with a p-norm: none: each tensor's own error; else the search over weight and output of each layer "
             "together, by the error of the layer's output");
    declare_search(s);
    s.optional("bias_correction", bias_correction_,
               "takes the mean error of each layer's output off its bias, after the search, if that lowers the loss");
  }

  void check() const override {
    arguments_.check();
    rules();
    if (eval_size_ > 1 && eval_size_ != std::floor(eval_size_))
      throw request_error("'eval_size' is {}: above 1 it is a number of samples", eval_size_);
    if (!init_method_.empty() && !by_norm())
      throw request_error("'init_method' is '{}', but the 'init_mode' is a formula without a search", init_method_)
          .hint("use init_mode LP, L1, L2 or L3, or leave it out");
    if (basinhopping_ && search_.method != "powell" && !search_.max_evaluations && !search_.seconds)
      throw request_error("'basinhopping' with '{}' needs a limit: 'maxfev' or 'time_budget'", search_.method);
    if (search_.method != "powell" && search_.max_iterations)
      throw request_error("'maxiter' counts the iterations of Powell's method; '{}' has none", search_.method)
          .hint("limit it by 'maxfev' or 'time_budget'");
  }

  void bind(const Graph& graph, Problems& problems) override {
    problems.capture([&] { rules().check_names(graph, problems); });
    refuse_quantised(graph, problems);
  }

  bool post_training() const override { return true; }
  int64_t calibration_samples() const override { return eval_size_ > 1 ? static_cast<int64_t>(eval_size_) : 0; }
  double calibration_fraction() const override { return eval_size_ > 1 ? 0 : eval_size_; }
  std::string unmet() const override { return unmet_; }

  Changes prepare(Graph& graph, const Calibration& calibration) override;

private:
  /// In scipy's words, as Distiller has them, or NLopt's.
  static std::vector<std::pair<std::string, std::string>> search_methods() {
    return {{"Powell", "powell"}, {"powell", "powell"},           {"bobyqa", "bobyqa"},           {"COBYLA", "cobyla"},
            {"cobyla", "cobyla"}, {"Nelder-Mead", "nelder-mead"}, {"nelder-mead", "nelder-mead"}, {"sbplx", "sbplx"}};
  }
  bool by_norm() const { return arguments_.start == ClipStart::fitted || fixed_norm(arguments_.start) > 0; }

  void declare_search(Settings& s) {
    s.choice("method", search_.method, search_methods(), "search of all clips together: Powell's, or one of NLopt's");
    s.optional("maxiter", search_.max_iterations, "iterations of Powell's method; absent: until it converges",
               at_least(1));
    s.optional("maxfev", search_.max_evaluations, "evaluations of the loss by the search; running out fails the run",
               at_least(1));
    s.optional("time_budget", search_.seconds, "seconds for the search; running out fails the run", above(0));
    s.optional("basinhopping", basinhopping_, "searches again and again from random places near the best one");
    s.optional("basinhopping_niter", hops_, "how often", at_least(0));
    s.optional("search_clipping", search_.each_end,
               "searches both ends of asymmetric grids, each by itself, in place of one factor on both");
    s.optional("save_every", search_.save_every, "evaluations between two saves of the search in the run's folder",
               at_least(1));
  }

  LayerRules rules() const { return layer_rules(overrides_, arguments_); }
  int64_t samples(const Calibration& calibration) const;
  /// What is searched, and what is asked about it.
  struct Search {
    Graph& graph;
    const Graph& reference;  ///< in floating point
    const std::vector<QuantizerClip>& clips;
    CalibrationLoss& loss;
    LapqRecord& record;
    std::vector<ops::ValueRange> observed;  ///< the ranges of clips as they were inserted

    void restore() const;
  };
  void set_start(const Search& search) const;
  double set_by_norm(const Search& search) const;
  void set_norm(const Search& search, double p) const;
  void search(Graph& graph, const Graph& reference, const Calibration& calibration);
  void finish_search(const Search& search, const Calibration& calibration);
  Changes correct(Graph& graph, const Graph& reference, const Calibration& calibration) const;

  LapqArguments arguments_;
  Yaml overrides_;
  bool quantize_outputs_ = false, bias_correction_ = false, basinhopping_ = false;
  double eval_size_ = 512;
  int64_t hops_ = 100;
  std::string init_method_;
  JointSearchOptions search_;
  std::string unmet_;
};

/// Weights and values; biases are on the accumulator's grid.
std::vector<QuantizerClip> searched_clips(const Graph& graph) {
  auto clips = quantizer_clips(graph);
  std::erase_if(clips, [](const QuantizerClip& clip) { return clip.role == QuantizerClip::Role::bias; });
  return clips;
}

/// What a stored search must have begun with to be gone on with.
std::string origin_of_search(const Graph& graph, const Calibration& calibration) {
  const auto recipe = graph.metadata.find("recipe.hash");
  return fmt::format("recipe {}, seed {}", recipe == graph.metadata.end() ? "" : recipe->second, calibration.seed);
}

std::string text_of(const std::string& metric, const CalibrationLoss::Result& result) {
  return fmt::format("loss {:.4f} ({} {:.2f})", result.loss, metric, result.metric);
}

int64_t LapqQuantizer::samples(const Calibration& calibration) const {
  if (eval_size_ > 1 || !calibration.samples) return static_cast<int64_t>(eval_size_);
  return std::max<int64_t>(1, std::llround(eval_size_ * static_cast<double>(calibration.samples->size())));
}

Changes LapqQuantizer::prepare(Graph& graph, const Calibration& calibration) {
  const auto rules = this->rules();
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  const auto reference = graph.clone();
  changes.append(quantize_trained(graph,
                                  {.rules = rules, .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none},
                                  {.samples = samples(calibration)}, calibration));
  if (searched_clips(graph).empty()) {
    log::warning("[lapq] nothing is quantised by the rules, so there is nothing to search");
    return changes;
  }
  search(graph, reference, calibration);
  if (bias_correction_) changes.append(correct(graph, reference, calibration));
  return changes;
}

void LapqQuantizer::search(Graph& graph, const Graph& reference, const Calibration& calibration) {
  const auto labelled = labelled_samples(calibration, samples(calibration));
  const auto clips = searched_clips(graph);
  CalibrationLoss loss(graph, labelled);
  LapqRecord record(calibration.directory, origin_of_search(graph, calibration));
  Search search{graph, reference, clips, loss, record, {}};
  for (const auto& clip : clips) {
    const auto range = clip_range(graph, clip);
    search.observed.push_back({range.min.clone(), range.max.clone()});
  }
  set_start(search);
  try {
    finish_search(search, calibration);
  } catch (const Error& error) {
    if (error.fault() == Fault::interrupted && !calibration.directory.empty()) {
      const auto place = calibration.directory / "lapq_best";
      io::save_checkpoint(place, {.graph = graph.clone(), .tensors = {}, .state = {}});
      log::warning("[lapq] interrupted: the best network so far is in '{}'", place.string());
    }
    throw;
  }
}

/// From where clips start to the best place of all.
void LapqQuantizer::finish_search(const Search& search, const Calibration& calibration) {
  auto options = search_;
  options.seed = calibration.seed;
  if (basinhopping_) options.hops = hops_;
  const auto result = search_jointly(search.graph, search.clips, search.loss, options, search.record);
  const auto reached = text_of(search.loss.samples().task().main_metric(), search.loss.evaluate());
  log::info("[lapq] {}; best of {} evaluations: {}", result.stop, result.evaluations, reached);
  if (result.exhausted)
    unmet_ = fmt::format("LAPQ {}; the best so far has {}, from {:.4f}", result.stop, reached, result.start_loss);
}

/// Puts clips where the search starts: never where the loss is greater than where the observer left them.
void LapqQuantizer::set_start(const Search& search) const {
  std::string measured;
  const auto observed = search.record.loss("start", [&] {
    const auto result = search.loss.evaluate();
    measured = text_of(search.loss.samples().task().main_metric(), result);
    return result.loss;
  });
  log::info("[lapq] {} clips, {} samples: {} with {}", search.clips.size(), search.loss.samples().size(),
            measured.empty() ? fmt::format("loss {:.4f}", observed) : measured,
            by_norm() ? "the extremes as ranges" : "the ranges of init_mode");
  if (!by_norm()) return;
  if (set_by_norm(search) <= observed) return;
  log::info("[lapq] the extremes are better; the search starts there");
  search.restore();
}

void LapqQuantizer::Search::restore() const {
  std::vector<std::string> written;
  for (size_t i = 0; i < clips.size(); ++i) {
    set_clip_range(graph, clips[i], observed[i]);
    written.insert(written.end(), {clips[i].scale, clips[i].zero_point});
  }
  loss.changed(written);
}

/// Clips by p-norms, p as init_mode says; returns the loss.
double LapqQuantizer::set_by_norm(const Search& search) const {
  std::optional<double> at;  // where the clips are
  const auto set = [&](double p) {
    if (at != p) set_norm(search, p);
    at = p;
  };
  const auto loss_of = [&](double p) {
    const auto measured = search.record.loss(fmt::format("p {:.17g}", p), [&] {
      set(p);
      return search.loss.evaluate().loss;
    });
    log::info("[lapq] p = {:.4g}: loss {:.4f}", p, measured);
    return measured;
  };
  if (const auto p = fixed_norm(arguments_.start); p > 0) {
    const auto measured = loss_of(p);
    set(p);
    return measured;
  }
  const auto tried = sampled_p();
  std::vector<double> losses;
  for (const double p : tried) losses.push_back(loss_of(p));
  auto chosen = fit_p(tried, losses);
  log::info("[lapq] {}", chosen.reason);
  const auto best = std::ranges::min_element(losses);
  auto least = chosen.fitted ? loss_of(chosen.p) : *best;
  if (least > *best) {
    chosen.p = tried[static_cast<size_t>(best - losses.begin())];
    least = *best;
    log::info("[lapq] p = {:.4g} has a lower loss than the vertex", chosen.p);
  }
  set(chosen.p);
  return least;
}

void LapqQuantizer::set_norm(const Search& search, double p) const {
  search.restore();  // values that share a grid are seen before it is set
  set_lp_clips(search.graph, search.clips, search.loss, p);
  if (init_method_.empty()) return;
  CalibrationLoss reference(search.reference, search.loss.samples());
  set_layer_clips(search.graph, search.clips, search.loss, reference, p,
                  [&](Evaluations& evaluations, const Region& region, const Point& start) {
                    if (init_method_ == "powell" || region.size() == 1)  // bobyqa needs two coordinates
                      return powell(evaluations, region, start, {.max_iterations = 5});
                    return nlopt_search(init_method_, evaluations, region, start, {});
                  });
}

Changes LapqQuantizer::correct(Graph& graph, const Graph& reference, const Calibration& calibration) const {
  const auto labelled = labelled_samples(calibration, samples(calibration));
  const auto before = CalibrationLoss(graph, labelled).evaluate();
  auto corrected = graph.clone();
  auto changes = correct_biases(corrected, reference, calibration.batches, samples(calibration));
  const auto after = CalibrationLoss(corrected, labelled).evaluate();
  const bool helps = after.loss < before.loss;
  const auto& metric = labelled.task().main_metric();
  log::info("[lapq] bias correction: {} -> {}{}", text_of(metric, before), text_of(metric, after),
            helps ? "" : "; left out");
  if (!helps) return {};
  graph = std::move(corrected);
  return changes;
}

}  // namespace

extern const Entry<Quantizer> lapq_quantizer{
    .name = "LapqQuantizer",
    .doc = "quantises a trained network to few bits by searching all clips for the least loss",
    .make = make_component<Quantizer, LapqQuantizer>};

}  // namespace compress::quant
