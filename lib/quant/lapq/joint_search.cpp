#include "quant/lapq/joint_search.h"

#include "core/log.h"
#include "core/progress.h"
#include "quant/lapq/basin_hopping.h"
#include "quant/lapq/clip_space.h"
#include "quant/lapq/nlopt_search.h"
#include "quant/lapq/powell.h"

#include <limits>

namespace compress::quant {

namespace {

constexpr int64_t kWithoutLimit = std::numeric_limits<int64_t>::max();
/// What a line search takes, about; for the progress bar.
constexpr int64_t kEvaluationsOfLine = 8, kUsualIterations = 3;

class JointSearch {
public:
  JointSearch(Graph& graph,
              const std::vector<QuantizerClip>& clips,
              CalibrationLoss& loss,
              const JointSearchOptions& options,
              LapqRecord& record)
      : options_(options), record_(record), space_(graph, clips, options.each_end), region_(space_.region()),
        loss_(loss), bar_("lapq", expected()),
        evaluations_([this](const Point& point, std::optional<size_t> axis) { return evaluate(point, axis); },
                     options.max_evaluations.value_or(kWithoutLimit),
                     [this](const Evaluations::Progress& progress) { note(progress); }) {}

  JointSearchResult run() {
    if (space_.size() == 0) throw request_error("there is no clip to search: all ranges are empty");
    if (!record_.search().is_null()) {
      evaluations_.load(record_.search());
      log::info("[lapq] going on behind evaluation {}", evaluations_.save().at("losses").size());
    }
    Outcome outcome;
    try {
      outcome = search();
      evaluations_.check_replayed();
    } catch (...) {
      keep_best();
      throw;
    }
    keep_best();
    return {.evaluations = evaluations_.count(),
            .stop = out_of_time_ ? options_.time.stop_text() : stop_text(outcome, evaluations_),
            .exhausted = outcome.stop == Stop::evaluations};
  }

private:
  int64_t expected() const {
    const auto lines = static_cast<int64_t>(space_.size()) * options_.max_iterations.value_or(kUsualIterations);
    return options_.max_evaluations.value_or(lines * kEvaluationsOfLine * (1 + options_.hops.value_or(0)));
  }

  double evaluate(const Point& point, std::optional<size_t> axis) {
    if (options_.time.spent()) {
      out_of_time_ = true;
      evaluations_.stop();
      throw BudgetSpent{};
    }
    move(point);
    return axis ? loss_.evaluate_from(space_.node(*axis)).loss : loss_.evaluate().loss;
  }

  void move(const Point& point) {
    const auto written = space_.set(point);
    if (!written.empty()) loss_.changed(written);
  }

  void note(const Evaluations::Progress& progress) {
    bar_.update(progress.evaluations, fmt::format("loss {:.4f}, best {:.4f}", progress.loss, progress.best.loss));
    if (progress.evaluations % options_.save_every != 0) return;
    record_.save(evaluations_.save());
    log::info("[lapq] evaluation {}: loss {:.4f}, best {:.4f}", progress.evaluations, progress.loss,
              progress.best.loss);
  }

  Outcome search() {
    if (!options_.hops) return local(space_.start());
    return basin_hopping(evaluations_, region_, space_.start(), [this](const Point& start) { return local(start); },
                         {.hops = *options_.hops, .seed = options_.seed});
  }

  Outcome local(const Point& start) {
    if (options_.method != "powell") return nlopt_search(options_.method, evaluations_, region_, start, {});
    return powell(evaluations_, region_, start, {.max_iterations = options_.max_iterations.value_or(kWithoutLimit)});
  }

  void keep_best() {
    if (evaluations_.best().evaluation == 0) return;
    record_.save(evaluations_.save());
    move(evaluations_.best().point);
  }

  const JointSearchOptions& options_;
  LapqRecord& record_;
  ClipSpace space_;
  Region region_;
  CalibrationLoss& loss_;
  Progress bar_;
  Evaluations evaluations_;
  bool out_of_time_ = false;
};

}  // namespace

std::string TimeBudget::stop_text() const {
  return fmt::format("stopped after {} s, its limit of time", seconds_.value_or(0));
}

JointSearchResult search_jointly(Graph& graph,
                                 const std::vector<QuantizerClip>& clips,
                                 CalibrationLoss& loss,
                                 const JointSearchOptions& options,
                                 LapqRecord& record) {
  return JointSearch(graph, clips, loss, options, record).run();
}

}  // namespace compress::quant
