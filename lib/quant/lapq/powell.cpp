#include "quant/lapq/powell.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {

namespace {

class Powell {
public:
  Powell(Evaluations& evaluations, const Region& region, const Point& start, const PowellOptions& options)
      : evaluations_(evaluations), region_(region), options_(options) {
    outcome_.point = start;
    for (size_t i = 0; i < start.size(); ++i) {
      directions_.push_back({Point(start.size(), 0), i});
      directions_.back().step[i] = region.step[i];
    }
  }

  Outcome run() {
    try {
      outcome_.loss = evaluations_(outcome_.point);
      while (!iterate()) {
        if (outcome_.iterations < options_.max_iterations) continue;
        outcome_.stop = Stop::iterations;
        break;
      }
    } catch (const BudgetSpent&) {
      outcome_.stop = Stop::evaluations;
    }
    return outcome_;
  }

private:
  /// True when converged.
  bool iterate() {
    const auto before = outcome_;
    double gain = 0;
    size_t strongest = 0;
    for (size_t i = 0; i < directions_.size(); ++i) {
      const auto loss = outcome_.loss;
      search(directions_[i]);
      if (loss - outcome_.loss > gain) {
        gain = loss - outcome_.loss;
        strongest = i;
      }
    }
    ++outcome_.iterations;
    const auto both = std::abs(before.loss) + std::abs(outcome_.loss);
    if (2 * (before.loss - outcome_.loss) <= options_.tolerance * both + 1e-20) return true;
    replace_direction(before, gain, strongest);
    return false;
  }

  void search(const Direction& direction) {
    search_line(evaluations_, region_, direction, options_.line, outcome_.point, outcome_.loss);
  }

  void replace_direction(const Outcome& before, double gain, size_t strongest) {
    Direction way{outcome_.point};
    for (size_t i = 0; i < way.step.size(); ++i) way.step[i] -= before.point[i];
    const auto ahead = std::min(1.0, find_reach(region_, way, outcome_.point).high);
    if (ahead == 0) return;
    const auto loss = evaluations_(point_at(region_, way, outcome_.point, ahead));
    if (loss >= before.loss) return;
    const auto decrease = before.loss - outcome_.loss;
    const auto curvature = 2 * (before.loss - 2 * outcome_.loss + loss) * (decrease - gain) * (decrease - gain);
    if (curvature >= gain * (before.loss - loss) * (before.loss - loss)) return;
    search(way);
    directions_[strongest] = directions_.back();
    directions_.back() = std::move(way);
  }

  Evaluations& evaluations_;
  const Region& region_;
  const PowellOptions& options_;
  std::vector<Direction> directions_;
  Outcome outcome_;
};

void check_options(const PowellOptions& options) {
  if (options.max_iterations < 1)
    throw request_error("Powell's method needs one iteration at least, not {}", options.max_iterations);
  if (!(options.tolerance >= 0))
    throw request_error("Powell's method: the tolerance is {}; it must not be negative", options.tolerance);
  if (!(options.line.tolerance > 0) || options.line.max_evaluations < 2)
    throw request_error("Powell's method: a line search needs a positive tolerance and two evaluations, not {} and {}",
                        options.line.tolerance, options.line.max_evaluations);
}

}  // namespace

Outcome powell(Evaluations& evaluations, const Region& region, const Point& start, const PowellOptions& options) {
  check_options(options);
  region.check(start);
  return Powell(evaluations, region, start, options).run();
}

}  // namespace compress::quant
