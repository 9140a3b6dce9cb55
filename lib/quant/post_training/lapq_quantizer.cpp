#include "core/interrupt.h"
#include "core/log.h"
#include "core/text.h"
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
#include <functional>
#include <map>

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
    if (basinhopping_ && search_.method != "powell" && !search_.max_evaluations && !seconds_)
      throw request_error("'basinhopping' with '{}' needs a limit: 'maxfev' or 'time_budget'", search_.method);
    if (search_.each_end && overrides_.is_null() && arguments_.activations.symmetric && arguments_.weights.symmetric)
      throw request_error("'search_clipping' searches the ends of asymmetric grids, and all grids are symmetric")
          .hint("leave it out, or put activations or weights on an asymmetric grid");
    if (search_.method != "powell" && search_.max_iterations)
      throw request_error("'maxiter' counts the iterations of Powell's method; '{}' has none", search_.method)
          .hint("limit it by 'maxfev' or 'time_budget'");
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
  int64_t calibration_samples() const override { return eval_size_ > 1 ? static_cast<int64_t>(eval_size_) : 0; }
  double calibration_fraction() const override { return eval_size_ > 1 ? 0 : eval_size_; }
  std::string unmet() const override { return unmet_; }

  Changes prepare(Graph& graph, const Calibration& calibration) override;
  train::Memory save() const override { return {.values = {{"unmet", unmet_}}, .tensors = {}}; }
  void load(const train::Memory& memory) override { unmet_ = memory.values.at("unmet").get<std::string>(); }

private:
  static std::vector<std::pair<std::string, std::string>> search_methods() {
    return {{"powell", "powell"},
            {"bobyqa", "bobyqa"},
            {"cobyla", "cobyla"},
            {"nelder-mead", "nelder-mead"},
            {"sbplx", "sbplx"}};
  }
  bool by_norm() const { return arguments_.start == ClipStart::fitted || fixed_norm(arguments_.start) > 0; }

  void declare_search(Settings& s) {
    s.choice("method", search_.method, search_methods(), "search of all clips together: Powell's, or one of NLopt's");
    s.optional("maxiter", search_.max_iterations, "iterations of Powell's method; absent: until it converges",
               at_least(1));
    s.optional("maxfev", search_.max_evaluations, "evaluations of the loss by the search; running out fails the run",
               at_least(1));
    s.optional("time_budget", seconds_, "seconds for start and search; running out fails the run", above(0));
    s.optional("basinhopping", basinhopping_, "searches again and again from random places near the best one");
    s.optional("basinhopping_niter", hops_, "how often", at_least(0));
    s.optional("search_clipping", search_.each_end,
               "searches both ends of asymmetric grids, each by itself, in place of one factor on both");
    s.optional("save_every", search_.save_every, "evaluations between two saves of the search in the run's folder",
               at_least(1));
  }

  LayerRules rules() const { return layer_rules(overrides_, arguments_); }
  InsertionOptions options(const LayerRules& rules) const {
    return {.rules = rules, .outputs = quantize_outputs_ ? OutputGrids::all : OutputGrids::none};
  }
  int64_t samples(const Calibration& calibration) const;
  /// What is searched, and what is asked about it.
  struct Search {
    Graph& graph;
    const Graph& reference;  ///< in floating point
    const std::vector<QuantizerClip>& clips;
    CalibrationLoss& loss;
    LapqRecord& record;
    TimeBudget time = TimeBudget{};
    std::vector<ops::ValueRange> observed = {};  ///< the ranges of clips as they were inserted
    std::vector<ops::ValueRange> best = {};      ///< with the least loss before the joint search
    double best_loss = kWorstLoss, start_loss = 0;

    std::vector<ops::ValueRange> ranges() const;
    void set(const std::vector<ops::ValueRange>& ranges) const;
    /// The loss where the clips are.
    void note(double loss_here);
    void take_best(JointSearchResult& result) const;
    /// The best is what the clips can be set to at once, not what a record of an earlier run knows.
    bool has_best() const { return best_loss < kWorstLoss && best_loss <= record.least(); }
  };
  void set_start(Search& search) const;
  double set_by_norm(Search& search) const;
  void set_norm(const Search& search, double p) const;
  /// False: no more work, the run was interrupted.
  bool search(Graph& graph, const Graph& reference, const Calibration& calibration);
  JointSearchResult search_all(Search& search, const Calibration& calibration) const;
  Changes correct(Graph& graph, const Graph& reference, const Calibration& calibration);

  LapqArguments arguments_;
  Yaml overrides_;
  bool quantize_outputs_ = false, bias_correction_ = false, basinhopping_ = false;
  double eval_size_ = 512;
  int64_t hops_ = 100;
  std::optional<double> seconds_;
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

std::string resume_hint(const Calibration& calibration) {
  const auto& folder = calibration.directory;
  return folder.empty() ? "" : fmt::format("; 'compress run --resume {}' goes on", folder.string());
}

int64_t LapqQuantizer::samples(const Calibration& calibration) const {
  if (eval_size_ > 1 || !calibration.samples) return static_cast<int64_t>(eval_size_);
  return std::max<int64_t>(1, std::llround(eval_size_ * static_cast<double>(calibration.samples->size())));
}

Changes LapqQuantizer::prepare(Graph& graph, const Calibration& calibration) {
  const auto rules = this->rules();
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  const auto reference = graph.clone();
  changes.append(quantize_trained(graph, options(rules), {.samples = samples(calibration)}, calibration).changes);
  if (searched_clips(graph).empty()) {
    log::warning("[lapq] nothing is quantised by the rules, so there is nothing to search");
    return changes;
  }
  const bool goes_on = search(graph, reference, calibration);
  if (goes_on && bias_correction_) changes.append(correct(graph, reference, calibration));
  return changes;
}

bool LapqQuantizer::search(Graph& graph, const Graph& reference, const Calibration& calibration) {
  const auto labelled = labelled_samples(calibration, samples(calibration));
  if (const auto size = labelled.size(); samples(calibration) > size)
    log::warning("[lapq] {} training samples are asked for, and there are {}: all of them are looked at",
                 with_commas(samples(calibration)), with_commas(size));
  const auto clips = searched_clips(graph);
  CalibrationLoss loss(graph, labelled);
  LapqRecord record(calibration.directory, origin_of_search(graph, calibration));
  Search search{graph, reference, clips, loss, record, TimeBudget(seconds_)};
  search.observed = search.ranges();
  JointSearchResult result;
  std::string reached;
  try {
    result = search_all(search, calibration);
    if (!result.interrupted) reached = text_of(labelled.task().main_metric(), loss.evaluate());
  } catch (const BudgetSpent&) {
    result.stop = search.time.stop_text();
  } catch (const Error& error) {
    if (error.fault() != Fault::interrupted || (result.evaluations == 0 && !search.has_best())) throw;
    forget_interrupt();
    result.stop = fmt::format("was interrupted after {} evaluations", record.evaluations());
    result.exhausted = result.interrupted = true;
  }
  if (result.evaluations == 0) search.take_best(result);
  if (reached.empty()) reached = fmt::format("loss {:.4f}", result.loss);
  const bool whole = result.evaluations > 0 && !result.interrupted;
  log::info("[lapq] {}; best of {} evaluations: {}", result.stop, whole ? result.evaluations : record.evaluations(),
            reached);
  if (result.exhausted)
    unmet_ = fmt::format("LAPQ {}: the run's files hold the best so far ({}, from {:.4f}){}", result.stop, reached,
                         result.start_loss, result.interrupted || search.time.spent() ? resume_hint(calibration) : "");
  return !result.interrupted;
}

/// From the ranges as they were inserted to the best place of all.
JointSearchResult LapqQuantizer::search_all(Search& search, const Calibration& calibration) const {
  set_start(search);
  auto options = search_;
  options.time = search.time;
  options.seed = calibration.seed;
  if (basinhopping_) options.hops = hops_;
  return search_jointly(search.graph, search.clips, search.loss, options, search.record);
}

/// Puts clips where the search starts: never where the loss is greater than where the observer left them.
void LapqQuantizer::set_start(Search& search) const {
  std::string measured;
  search.start_loss = search.record.loss("start", [&] {
    const auto result = search.loss.evaluate();
    measured = text_of(search.loss.samples().task().main_metric(), result);
    return result.loss;
  });
  search.note(search.start_loss);
  log::info("[lapq] {} clips, {} samples: {} with {}", search.clips.size(), search.loss.samples().size(),
            measured.empty() ? fmt::format("loss {:.4f}", search.start_loss) : measured,
            by_norm() ? "the extremes as ranges" : "the ranges of init_mode");
  if (!by_norm()) return;
  if (set_by_norm(search) <= search.start_loss) return;
  log::info("[lapq] the extremes are better; the search starts there");
  search.set(search.observed);
}

std::vector<ops::ValueRange> LapqQuantizer::Search::ranges() const {
  std::vector<ops::ValueRange> ranges;
  for (const auto& clip : clips) {
    const auto range = clip_range(graph, clip);
    ranges.push_back({range.min.clone(), range.max.clone()});
  }
  return ranges;
}

void LapqQuantizer::Search::set(const std::vector<ops::ValueRange>& ranges) const {
  std::vector<std::string> written;
  for (size_t i = 0; i < clips.size(); ++i) {
    set_clip_range(graph, clips[i], ranges[i]);
    written.insert(written.end(), {clips[i].scale, clips[i].zero_point});
  }
  loss.changed(written);
}

/// When there was no time for the joint search.
void LapqQuantizer::Search::take_best(JointSearchResult& result) const {
  set(best);
  result.loss = best_loss;
  result.start_loss = start_loss;
  result.exhausted = true;
}

void LapqQuantizer::Search::note(double loss_here) {
  if (!(loss_here < best_loss)) return;
  best = ranges();
  best_loss = loss_here;
}

/// p as init_mode says: the vertex of a parabola through ten losses, unless one of the ten is lower.
double choose_p(ClipStart start, const std::function<double(double)>& loss_of) {
  if (const auto p = fixed_norm(start); p > 0) {
    loss_of(p);
    return p;
  }
  const auto tried = sampled_p();
  std::vector<double> losses;
  for (const double p : tried) losses.push_back(loss_of(p));
  const auto chosen = fit_p(tried, losses);
  log::info("[lapq] {}", chosen.reason);
  const auto best = std::ranges::min_element(losses);
  if (!chosen.fitted || loss_of(chosen.p) <= *best) return chosen.p;
  const double p = tried[static_cast<size_t>(best - losses.begin())];
  log::info("[lapq] p = {:.4g} has a lower loss than the vertex", p);
  return p;
}

/// Clips by p-norms; returns the loss.
double LapqQuantizer::set_by_norm(Search& search) const {
  std::optional<double> at;  // where the clips are
  std::map<double, double> losses;
  const auto place = [&](double p) {
    if (at != p) set_norm(search, p);
    at = p;
  };
  const auto loss_of = [&](double p) {
    losses[p] = search.record.loss(fmt::format("p {:.17g}", p), [&] {
      if (search.time.spent()) throw BudgetSpent{};
      place(p);
      const auto here = search.loss.evaluate().loss;
      search.note(here);
      return here;
    });
    log::info("[lapq] p = {:.4g}: loss {:.4f}", p, losses[p]);
    return losses[p];
  };
  try {
    place(choose_p(arguments_.start, loss_of));
  } catch (const BudgetSpent&) {
    if (search.has_best()) throw;
    place(std::ranges::min_element(losses, {}, [](const auto& known) { return known.second; })->first);
    search.note(losses[*at]);  // an earlier run found it: the clips were elsewhere
    throw;
  }
  search.note(losses[*at]);
  return losses[*at];
}

void LapqQuantizer::set_norm(const Search& search, double p) const {
  search.set(search.observed);  // values that share a grid are seen before it is set
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

Changes LapqQuantizer::correct(Graph& graph, const Graph& reference, const Calibration& calibration) {
  const auto labelled = labelled_samples(calibration, samples(calibration));
  auto corrected = graph.clone();
  Changes changes;
  CalibrationLoss::Result before, after;
  try {
    before = CalibrationLoss(graph, labelled).evaluate();
    changes = correct_biases(corrected, reference, calibration.batches, samples(calibration));
    after = CalibrationLoss(corrected, labelled).evaluate();
  } catch (const Error& error) {
    if (error.fault() != Fault::interrupted) throw;
    forget_interrupt();
    unmet_ = "LAPQ was interrupted: its bias correction is left out" + resume_hint(calibration);
    return {};
  }
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
