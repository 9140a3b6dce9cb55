#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

/// A point of the space that is searched: a number a coordinate.
using Point = std::vector<double>;

/// Where a search may go.
struct Region {
  Point lower, upper;  ///< may be infinite; equal: the coordinate stays as it is
  Point step;          ///< how far the first trial along a coordinate goes; > 0

  size_t size() const { return lower.size(); }
  /// Throws a request error unless sizes agree, bounds are in order, steps are positive and `start` lies inside.
  void check(const Point& start) const;
  Point clamped(Point point) const;
};

/// The loss at a point; a value that is not finite counts as kWorstLoss. With `axis`, the point lies on a line along
/// that coordinate: successive calls with the same axis whose other coordinates are equal are one line search, so what
/// does not depend on the coordinate can be kept between them. (The first call after a search was resumed may lie in
/// the middle of a line.)
using Loss = std::function<double(const Point& point, std::optional<size_t> axis)>;

/// Stands for losses that are NaN, infinite or greater. Finite, since parabolas through infinities are NaN.
inline constexpr double kWorstLoss = 1e100;

struct BestPoint {
  Point point;
  double loss = kWorstLoss;
  int64_t evaluation = 0;  ///< counted from 1; 0: there was none
};

/// Ends a search from within when its evaluations are used up; caught by every search of this folder.
struct BudgetSpent {};

/// A loss with memory: counts, keeps the best of all evaluations (not only of those at which an iteration ends), and
/// can be saved at any moment.
///
/// What is saved is the list of losses. All searches are deterministic, so the state of any of them, also in the middle
/// of a line search, is what it makes of that list: after `load`, the same search is started anew, gets the saved
/// losses without evaluating, and goes on with the bits of a search that was not interrupted. An exception of the loss
/// passes through, and changes nothing here.
class Evaluations {
public:
  struct Progress {
    int64_t evaluations;
    double loss;  ///< the current one
    const BestPoint& best;
  };

  /// `progress` is called after each evaluation that is not a saved one.
  Evaluations(Loss loss, int64_t max_evaluations, std::function<void(const Progress&)> progress = {});

  /// Throws BudgetSpent instead of evaluating more than max_evaluations.
  double operator()(const Point& point, std::optional<size_t> axis = {});

  const BestPoint& best() const { return best_; }
  int64_t count() const { return count_; }
  bool spent() const { return stopped_ || count_ >= max_evaluations_; }
  /// No more evaluations from now on. What the loss calls when time is up, before it throws BudgetSpent.
  void stop() { stopped_ = true; }
  /// Saved losses that no search has asked for yet.
  bool replaying() const { return count_ < static_cast<int64_t>(losses_.size()); }

  nlohmann::json save() const;
  /// To be called before the search. Throws a request error when the state is damaged; the search throws one when it is
  /// not the search that was saved.
  void load(const nlohmann::json& state);
  /// Throws a request error when the search ended before all saved losses were asked for, though not for lack of
  /// evaluations.
  void check_replayed() const;

private:
  double replay(uint64_t trace);
  void record(const Point& point, double loss);

  Loss loss_;
  std::function<void(const Progress&)> progress_;
  int64_t max_evaluations_;
  std::vector<double> losses_;
  BestPoint best_;
  int64_t count_ = 0;
  bool stopped_ = false;
  uint64_t trace_ = 0, saved_trace_ = 0;  ///< of all points so far, and of those that were saved
};

enum class Stop { converged, iterations, evaluations };

/// How a search ended. The best point of all, which may be another, is Evaluations::best().
struct Outcome {
  Point point;
  double loss = kWorstLoss;
  int64_t iterations = 0;
  Stop stop = Stop::converged;
};

/// "converged after 3 iterations", "stopped at its limit of 3 iterations", "stopped at its limit of 120 evaluations".
std::string stop_text(const Outcome& outcome, const Evaluations& evaluations);

}  // namespace compress::quant
