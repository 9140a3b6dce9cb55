#include "quant/lapq/lapq_search.h"

#include "core/log.h"
#include "quant/lapq/layer_clips.h"
#include "quant/lapq/lp_clips.h"
#include "quant/lapq/nlopt_search.h"
#include "quant/lapq/p_fit.h"
#include "quant/lapq/powell.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {

namespace {

std::string loss_number(double loss) {
  return std::isfinite(loss) && loss < kWorstLoss ? fmt::format("{:.4f}", loss) : "not finite";
}

}  // namespace

std::string text_of(const train::Task& task, const CalibrationLoss::Result& result) {
  return fmt::format("loss {} ({} {:.2f})", loss_number(result.loss), task.main_metric(), result.metric);
}

LapqSearch::LapqSearch(Graph& graph,
                       const Graph& reference,
                       const train::KeptSamples& samples,
                       std::vector<QuantizerClip> clips,
                       LapqRecord record,
                       LapqOptions options)
    : graph_(graph), reference_(reference), samples_(samples), clips_(std::move(clips)), record_(std::move(record)),
      options_(std::move(options)), observed_(ranges()), best_(observed_) {}

std::string LapqSearch::run() {
  loss_.emplace(graph_, samples_);
  const auto& time = options_.joint.time;
  JointSearchResult result{.stop = time.stop_text(), .exhausted = true};
  const bool in_time = start();
  started_ = true;
  if (in_time) result = search_jointly(graph_, clips_, *loss_, options_.joint, record_);
  const auto reached = text_of(samples_.task(), loss_->evaluate());
  log::info("[lapq] {}; best of {} evaluations: {}", result.stop,
            result.evaluations > 0 ? result.evaluations : record_.evaluations(), reached);
  loss_.reset();
  return result.exhausted ? unmet(result.stop, reached) : "";
}

std::string LapqSearch::interrupted() const {
  if (!(started_ || has_best()) || record_.least() >= kWorstLoss) return {};
  return unmet(fmt::format("was interrupted after {} evaluations", record_.evaluations()),
               "loss " + loss_number(record_.least()));
}

std::string LapqSearch::unmet(const std::string& stop, const std::string& reached) const {
  return fmt::format("LAPQ {}: the run's files hold the best so far ({}, from {})", stop, reached,
                     loss_number(start_loss_));
}

/// False when time ran out; then, too, the clips are at the best that is known.
bool LapqSearch::start() {
  try {
    set_start();
    return true;
  } catch (const BudgetSpent&) {
    if (!has_best() && !losses_.empty()) {  // an earlier run found it: the clips were elsewhere
      place(std::ranges::min_element(losses_, {}, [](const auto& known) { return known.second; })->first);
      note(losses_[*at_]);
    }
    set(best_);
    return false;
  } catch (...) {
    if (has_best()) set(best_);
    throw;
  }
}

void LapqSearch::set_start() {
  std::string measured;
  start_loss_ = record_.loss("start", [&] {
    const auto result = loss_->evaluate();
    measured = text_of(samples_.task(), result);
    return result.loss;
  });
  note(start_loss_);
  log::info("[lapq] {} clips, {} samples: {} with {}", clips_.size(), samples_.size(),
            measured.empty() ? "loss " + loss_number(start_loss_) : measured,
            options_.norm ? "the extremes as ranges" : "the ranges of init_mode");
  if (!options_.norm || set_by_norm(*options_.norm) <= start_loss_) return;
  log::info("[lapq] the extremes are better; the search starts there");
  set(observed_);
}

/// Clips by p-norms; returns the loss.
double LapqSearch::set_by_norm(const NormStart& norm) {
  if (norm.p) loss_of(*norm.p);
  place(norm.p ? *norm.p : choose_p());
  note(losses_[*at_]);
  return losses_[*at_];
}

/// The vertex of a parabola through ten losses, unless one of the ten is lower.
double LapqSearch::choose_p() {
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

double LapqSearch::loss_of(double p) {
  const auto loss = record_.loss(fmt::format("p {:.17g}", p), [&] {
    if (options_.joint.time.spent()) throw BudgetSpent{};
    place(p);
    const auto here = loss_->evaluate().loss;
    note(here);
    return here;
  });
  log::info("[lapq] p = {:.4g}: loss {}", p, loss_number(loss));
  return losses_[p] = loss;
}

void LapqSearch::place(double p) {
  if (at_ == p) return;
  set(observed_);  // values that share a grid are seen before it is set
  set_lp_clips(graph_, clips_, *loss_, p);
  if (const auto& method = options_.norm->method; !method.empty()) {
    CalibrationLoss reference(reference_, samples_);
    set_layer_clips(graph_, clips_, *loss_, reference, p,
                    [&](Evaluations& evaluations, const Region& region, const Point& start) {
                      if (method == "powell" || region.size() == 1)  // bobyqa needs two coordinates
                        return powell(evaluations, region, start, {.max_iterations = 5});
                      return nlopt_search(method, evaluations, region, start, {});
                    });
  }
  at_ = p;
}

LapqSearch::Ranges LapqSearch::ranges() const {
  Ranges ranges;
  for (const auto& clip : clips_) {
    const auto range = clip_range(graph_, clip);
    ranges.push_back({range.min.clone(), range.max.clone()});
  }
  return ranges;
}

void LapqSearch::set(const Ranges& ranges) {
  std::vector<std::string> written;
  for (size_t i = 0; i < clips_.size(); ++i) {
    set_clip_range(graph_, clips_[i], ranges[i]);
    written.insert(written.end(), {clips_[i].scale, clips_[i].zero_point});
  }
  loss_->changed(written);
  at_.reset();
}

/// The loss where the clips are.
void LapqSearch::note(double loss_here) {
  if (!(loss_here < best_loss_)) return;
  best_ = ranges();
  best_loss_ = loss_here;
}

}  // namespace compress::quant
