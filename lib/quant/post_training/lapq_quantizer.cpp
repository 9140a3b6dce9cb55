#include "core/interrupt.h"
#include "core/log.h"
#include "passes/pass.h"
#include "quant/lapq/lapq_arguments.h"
#include "quant/lapq/lapq_search.h"
#include "quant/lapq/nlopt_search.h"
#include "quant/post_training/bias_correction.h"
#include "quant/post_training/post_training.h"

#include <algorithm>
#include <cmath>

/// Post-training quantisation to few bits by the task's loss (Nahshan et al. 2019, "Loss Aware Post-training
/// Quantization"): every clip starts where the p-norm of its own error is least, p where the loss is, and then all
/// clips are searched together. Arguments as in Distiller's ptq_lapq.
namespace compress::quant {
namespace {

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
  std::string unmet() const override { return unmet_ + hint_; }

  Changes prepare(Graph& graph, const Calibration& calibration) override;
  /// Training goes on behind prepare(): a resume begins at the checkpoint of an epoch, behind the search.
  void on_epoch_begin(train::State&) override { hint_.clear(); }
  train::Memory save() const override { return memory_of(unmet()); }
  void load(const train::Memory& memory) override { unmet_ = unmet_in(memory); }

private:
  static std::vector<std::pair<std::string, std::string>> search_methods() {
    std::vector<std::pair<std::string, std::string>> methods{{"powell", "powell"}};
    for (const auto& method : nlopt_methods()) methods.emplace_back(method, method);
    return methods;
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
  LapqOptions search_options(const Calibration& calibration) const;
  Changes correct(Graph& graph,
                  const Graph& reference,
                  const train::KeptSamples& labelled,
                  const Calibration& calibration) const;

  LapqArguments arguments_;
  Yaml overrides_;
  bool quantize_outputs_ = false, bias_correction_ = false, basinhopping_ = false;
  double eval_size_ = 512;
  int64_t hops_ = 100;
  std::optional<double> seconds_;
  std::string init_method_;
  JointSearchOptions search_;
  std::string unmet_, hint_;
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

std::string resume_hint(const Calibration& calibration) {
  const auto& folder = calibration.directory;
  return folder.empty() ? "" : fmt::format("; 'compress run --resume {}' goes on", folder.string());
}

int64_t LapqQuantizer::samples(const Calibration& calibration) const {
  if (eval_size_ > 1 || !calibration.samples) return static_cast<int64_t>(eval_size_);
  return std::max<int64_t>(1, std::llround(eval_size_ * static_cast<double>(calibration.samples->size())));
}

LapqOptions LapqQuantizer::search_options(const Calibration& calibration) const {
  LapqOptions options{.joint = search_};
  if (by_norm()) options.norm = {.method = init_method_};
  if (const auto p = fixed_norm(arguments_.start); p > 0) options.norm->p = p;
  options.joint.time = TimeBudget(seconds_);
  options.joint.seed = calibration.seed;
  if (basinhopping_) options.joint.hops = hops_;
  return options;
}

Changes LapqQuantizer::prepare(Graph& graph, const Calibration& calibration) {
  const auto rules = this->rules();
  auto changes = passes::run_all(passes::make_steps({"fold_batchnorm"}), graph);
  const auto reference = graph.clone();
  changes.append(quantize_trained(graph, options(rules), {.samples = samples(calibration)}, calibration).changes);
  auto clips = searched_clips(graph);
  if (clips.empty()) {
    log::warning("[lapq] nothing is quantised by the rules, so there is nothing to search");
    return changes;
  }
  const auto labelled = labelled_samples(calibration, samples(calibration));
  warn_of_few_samples("lapq", samples(calibration), labelled.size());
  const auto how = search_options(calibration);
  LapqSearch search(graph, reference, labelled, std::move(clips),
                    LapqRecord(calibration.directory, origin_of_search(graph, calibration)), how);
  bool searched = false;
  try {
    unmet_ = search.run();
    searched = true;
    if (how.joint.time.spent() && !unmet_.empty()) hint_ = resume_hint(calibration);
    if (bias_correction_) changes.append(correct(graph, reference, labelled, calibration));
  } catch (const Error& error) {
    const auto left = searched ? "LAPQ was interrupted: its bias correction is left out" : search.interrupted();
    if (error.fault() != Fault::interrupted || left.empty()) throw;
    forget_interrupt();
    log::warning("[lapq] interrupted; the best clips so far stay, and the run goes on");
    unmet_ = left;
    hint_ = resume_hint(calibration);
  }
  return changes;
}

Changes LapqQuantizer::correct(Graph& graph,
                               const Graph& reference,
                               const train::KeptSamples& labelled,
                               const Calibration& calibration) const {
  const auto before = CalibrationLoss(graph, labelled).evaluate();
  auto corrected = graph.clone();
  auto changes = correct_biases(corrected, reference, calibration.batches, samples(calibration));
  const auto after = CalibrationLoss(corrected, labelled).evaluate();
  const bool helps = after.loss < before.loss;
  log::info("[lapq] bias correction: {} -> {}{}", text_of(labelled.task(), before), text_of(labelled.task(), after),
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
