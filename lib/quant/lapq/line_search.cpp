#include "quant/lapq/line_search.h"

#include "quant/lapq/brent.h"

#include <algorithm>
#include <limits>
#include <map>

namespace compress::quant {

namespace {

/// Golden section: each interval has the same share of the next.
constexpr double kGrowth = 1.618033988749895;
constexpr int kMaxGrowths = 50;

/// The loss along a line. No place is evaluated twice: Brent's method begins with places that bracketing has seen.
class LossOnLine {
public:
  LossOnLine(
      Evaluations& evaluations, const Region& region, const Direction& direction, const Point& origin, double loss)
      : evaluations_(evaluations), region_(region), direction_(direction), origin_(origin), best_{0, loss} {
    known_[0] = loss;
  }

  double operator()(double t) {
    if (const auto found = known_.find(t); found != known_.end()) return found->second;
    const auto loss = evaluations_(point_at(region_, direction_, origin_, t), direction_.axis);
    known_[t] = loss;
    if (loss < best_.value) best_ = {t, loss};
    return loss;
  }
  const LineMinimum& best() const { return best_; }

private:
  Evaluations& evaluations_;
  const Region& region_;
  const Direction& direction_;
  const Point& origin_;
  std::map<double, double> known_;
  LineMinimum best_;
};

/// Goes downhill from 0 over `first`, which is better, to where the loss rises or the region ends.
Reach bracket_downhill(LossOnLine& loss, double first, double end) {
  double before = 0, here = first;
  for (int i = 0; i < kMaxGrowths && here != end; ++i) {
    const auto next = here + kGrowth * (here - before);
    const auto ahead = end > 0 ? std::min(next, end) : std::max(next, end);
    const bool rises = loss(ahead) >= loss(here);
    before = rises ? before : here;
    here = ahead;
    if (rises) break;
  }
  return {std::min(before, here), std::max(before, here)};
}

/// An interval with a local minimum.
Reach bracket(LossOnLine& loss, const Reach& reach) {
  const auto forward = std::min(1.0, reach.high), backward = std::max(-1.0, reach.low);
  if (forward > 0 && loss(forward) < loss(0)) return bracket_downhill(loss, forward, reach.high);
  if (backward < 0 && loss(backward) < loss(0)) return bracket_downhill(loss, backward, reach.low);
  return {backward, forward};
}

}  // namespace

Reach find_reach(const Region& region, const Direction& direction, const Point& point) {
  constexpr auto kFar = std::numeric_limits<double>::infinity();
  Reach reach{-kFar, kFar};
  for (size_t i = 0; i < region.size(); ++i) {
    const auto step = direction.step[i];
    if (step == 0) continue;
    const auto down = (region.lower[i] - point[i]) / step, up = (region.upper[i] - point[i]) / step;
    reach.low = std::max(reach.low, std::min(down, up));
    reach.high = std::min(reach.high, std::max(down, up));
  }
  return {std::min(reach.low, 0.0), std::max(reach.high, 0.0)};
}

Point point_at(const Region& region, const Direction& direction, const Point& point, double t) {
  auto moved = point;
  for (size_t i = 0; i < moved.size(); ++i)
    if (direction.step[i] != 0)
      moved[i] = std::clamp(point[i] + t * direction.step[i], region.lower[i], region.upper[i]);
  return moved;
}

void search_line(Evaluations& evaluations,
                 const Region& region,
                 const Direction& direction,
                 const LineOptions& options,
                 Point& point,
                 double& loss) {
  LossOnLine on_line(evaluations, region, direction, point, loss);
  const auto take = [&] {
    point = point_at(region, direction, point, on_line.best().x);
    loss = on_line.best().value;
  };
  try {
    const auto [low, high] = bracket(on_line, find_reach(region, direction, point));
    if (low < high) brent_minimum(std::ref(on_line), low, high, options.tolerance, options.max_evaluations);
  } catch (const BudgetSpent&) {
    take();
    throw;
  }
  take();
}

}  // namespace compress::quant
