#pragma once

#include "quant/lapq/evaluations.h"
#include "support/check_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

/// Functions to minimise (the first three also in tests/golden/scipy_powell.py), and what a search asked of them.
namespace compress::test {

using quant::Point;

inline double rosenbrock(const Point& x) {
  double sum = 0;
  for (size_t i = 0; i + 1 < x.size(); ++i) sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  return sum;
}

inline double rotated(const Point& x) {
  double y[] = {x[0] - 0.5, x[1] + 1, x[2] - 1.5};
  const auto c = std::cos(0.5), s = std::sin(0.5);
  for (const auto& [i, j] : {std::pair{0, 1}, std::pair{1, 2}, std::pair{0, 2}}) {
    const auto a = y[i], b = y[j];
    y[i] = c * a - s * b;
    y[j] = s * a + c * b;
  }
  return 2 + y[0] * y[0] + 10 * y[1] * y[1] + 100 * y[2] * y[2];
}

inline double beale(const Point& x) {
  double sum = 0;
  for (const auto& [n, a] : {std::pair{1, 1.5}, std::pair{2, 2.25}, std::pair{3, 2.625}})
    sum += std::pow(a - x[0] + x[0] * std::pow(x[1], n), 2);
  return sum;
}

/// One of many minima is the least: 0 at 0.
inline double rastrigin(const Point& x) {
  double sum = 0;
  for (const double v : x) sum += v * v + 10 - 10 * std::cos(6.283185307179586 * v);
  return sum;
}

inline quant::Region cube(size_t size, double low, double high, double step) {
  return {Point(size, low), Point(size, high), Point(size, step)};
}
inline quant::Region everywhere(size_t size, double step) {
  const auto far = std::numeric_limits<double>::infinity();
  return cube(size, -far, far, step);
}

struct Call {
  Point point;
  std::optional<size_t> axis;
  bool operator==(const Call&) const = default;
};

/// Remembers the calls of a function.
inline quant::Loss recorded(double (*function)(const Point&), std::vector<Call>& calls) {
  return [function, &calls](const Point& point, std::optional<size_t> axis) {
    calls.push_back({point, axis});
    return function(point);
  };
}
inline quant::Loss plain(double (*function)(const Point&)) {
  return [function](const Point& point, std::optional<size_t>) { return function(point); };
}

using Search = std::function<quant::Outcome(quant::Evaluations&)>;

/// Interrupts a search at some evaluations, among them the first and the last, and requires of each that the saved
/// search, once loaded, asks for what is left of the uninterrupted one, bit for bit, and ends as it did.
inline void require_resumable(double (*function)(const Point&), int64_t budget, const Search& search) {
  std::vector<Call> all;
  quant::Evaluations whole(recorded(function, all), budget);
  const auto outcome = search(whole);
  REQUIRE(all.size() >= 20);
  for (const size_t at :
       {size_t{0}, size_t{1}, size_t{7}, all.size() / 3, all.size() / 2, all.size() - 1, all.size()}) {
    std::vector<Call> calls;
    const auto interrupted = [&](const Point& point, std::optional<size_t> axis) {
      if (calls.size() == at) throw run_error("the network failed");
      return recorded(function, calls)(point, axis);
    };
    quant::Evaluations first(interrupted, budget);
    if (at < all.size()) {
      require_error([&] { search(first); }, "the network failed");
    } else {
      search(first);
    }
    REQUIRE(first.count() == static_cast<int64_t>(at));
    if (at > 0) REQUIRE(first.best().loss == function(first.best().point));
    const auto text = first.save().dump();
    quant::Evaluations second(recorded(function, calls), budget);
    second.load(nlohmann::json::parse(text));
    REQUIRE(second.best().loss == first.best().loss);
    REQUIRE(second.save().dump() == text);
    const auto resumed = search(second);
    second.check_replayed();
    REQUIRE((calls == all));
    REQUIRE(resumed.point == outcome.point);
    REQUIRE(resumed.loss == outcome.loss);
    REQUIRE(second.best().evaluation == whole.best().evaluation);
    REQUIRE(second.save() == whole.save());
  }
}

}  // namespace compress::test
