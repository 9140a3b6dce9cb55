#include "quant/lapq/nlopt_search.h"

#include "core/error.h"
#include "core/text.h"

#ifdef COMPRESS_NLOPT
#include <nlopt.h>
#endif

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <memory>

namespace compress::quant {

namespace {

const std::array<std::string, 4> kNloptMethods{"bobyqa", "cobyla", "nelder-mead", "sbplx"};

void check_method(const std::string& method, const Region& region) {
  if (std::ranges::find(kNloptMethods, method) == kNloptMethods.end())
    throw request_error("unknown search method '{}'", method).hint(did_you_mean(method, kNloptMethods));
  int64_t free = 0;
  for (size_t i = 0; i < region.size(); ++i) free += region.lower[i] < region.upper[i];
  if (method == "bobyqa" && free < 2)
    throw request_error("search method 'bobyqa' needs two free coordinates or more, not {}", free)
        .hint("use 'cobyla', 'nelder-mead' or 'sbplx'");
}

#ifdef COMPRESS_NLOPT

constexpr std::array<nlopt_algorithm, 4> kAlgorithms{NLOPT_LN_BOBYQA, NLOPT_LN_COBYLA, NLOPT_LN_NELDERMEAD,
                                                     NLOPT_LN_SBPLX};

/// No exception may pass through NLopt, which is C: it is kept, NLopt is stopped, and then it goes on.
struct NloptRun {
  Evaluations& evaluations;
  const Region& region;
  nlopt_opt handle;
  Outcome outcome = {};
  std::exception_ptr thrown = {};

  static double loss(unsigned n, const double* x, double*, void* self) {
    auto& run = *static_cast<NloptRun*>(self);
    if (run.thrown) return HUGE_VAL;
    try {
      const auto point = run.region.clamped(Point(x, x + n));
      const auto loss = run.evaluations(point);
      if (run.outcome.point.empty() || loss < run.outcome.loss) {
        run.outcome.point = point;
        run.outcome.loss = loss;
      }
      return loss;
    } catch (...) {
      run.thrown = std::current_exception();
      nlopt_force_stop(run.handle);
      return HUGE_VAL;
    }
  }
};

Outcome run_nlopt(const std::string& method,
                  Evaluations& evaluations,
                  const Region& region,
                  Point point,
                  const NloptOptions& options) {
  const auto index = static_cast<size_t>(std::ranges::find(kNloptMethods, method) - kNloptMethods.begin());
  const std::unique_ptr<nlopt_opt_s, decltype(&nlopt_destroy)> handle(
      nlopt_create(kAlgorithms[index], static_cast<unsigned>(region.size())), &nlopt_destroy);
  NloptRun run{evaluations, region, handle.get()};
  auto close = region.step;
  for (auto& x : close) x *= options.point_tolerance;
  nlopt_set_min_objective(handle.get(), &NloptRun::loss, &run);
  nlopt_set_lower_bounds(handle.get(), region.lower.data());
  nlopt_set_upper_bounds(handle.get(), region.upper.data());
  nlopt_set_initial_step(handle.get(), region.step.data());
  nlopt_set_ftol_rel(handle.get(), options.tolerance);
  nlopt_set_xtol_abs(handle.get(), close.data());
  double loss = 0;
  const auto result = nlopt_optimize(handle.get(), point.data(), &loss);
  try {
    if (run.thrown) std::rethrow_exception(run.thrown);
  } catch (const BudgetSpent&) {
    run.outcome.stop = Stop::evaluations;
    return run.outcome;
  }
  // Rounding ends a search where nothing can be gained any more.
  if (result < 0 && result != NLOPT_ROUNDOFF_LIMITED) {
    const auto* message = nlopt_get_errmsg(handle.get());
    throw run_error("NLopt's '{}' failed: {}", method,
                    message ? std::string(message) : fmt::format("error {}", static_cast<int>(result)));
  }
  return run.outcome;
}

#endif

}  // namespace

std::span<const std::string> nlopt_methods() {
  return kNloptMethods;
}

Outcome nlopt_search(const std::string& method,
                     Evaluations& evaluations,
                     const Region& region,
                     const Point& start,
                     const NloptOptions& options) {
  region.check(start);
  check_method(method, region);
  if (!(options.tolerance >= 0) || !(options.point_tolerance >= 0))
    throw request_error("search method '{}': the tolerances are {} and {}; they must not be negative", method,
                        options.tolerance, options.point_tolerance);
#ifdef COMPRESS_NLOPT
  return run_nlopt(method, evaluations, region, start, options);
#else
  static_cast<void>(evaluations);
  throw request_error("search method '{}' needs NLopt, without which this program was built", method)
      .hint("use 'powell', or install libnlopt-dev and build again");
#endif
}

}  // namespace compress::quant
