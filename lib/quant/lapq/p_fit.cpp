#include "quant/lapq/p_fit.h"

#include "core/error.h"

#include <algorithm>
#include <cmath>

namespace compress::quant {

namespace {

/// A bend of the parabola over the whole range below this share of the losses is rounding.
constexpr double kFlat = 1e-9;

struct PLoss {
  double p, loss;
};

std::vector<PLoss> finite_losses(std::span<const double> p, std::span<const double> losses) {
  if (p.size() != losses.size()) throw request_error("{} values of p have {} losses", p.size(), losses.size());
  std::vector<PLoss> samples;
  for (size_t i = 0; i < p.size(); ++i)
    if (std::isfinite(losses[i])) samples.push_back({p[i], losses[i]});
  if (samples.empty()) throw run_error("the loss is not finite at any of the {} values of p", p.size());
  std::ranges::sort(samples, {}, &PLoss::p);
  const auto twice = std::ranges::adjacent_find(samples, {}, &PLoss::p);
  if (twice != samples.end()) throw request_error("p = {} has two losses", twice->p);
  return samples;
}

/// loss = a u^2 + b u + constant with u = (p - middle) / half: the samples span [-1, 1], which keeps the fit
/// well-conditioned.
struct Parabola {
  double a = 0, b = 0, middle = 0, half = 1;

  double vertex() const { return middle - half * b / (2 * a); }
};

/// Least squares by polynomials that are orthogonal on the samples.
Parabola fit_parabola(const std::vector<PLoss>& samples) {
  const auto low = samples.front().p, high = samples.back().p;
  Parabola fit{.middle = (low + high) / 2, .half = (high - low) / 2};
  const auto n = static_cast<double>(samples.size());
  const auto sum = [&](auto&& term) {
    double total = 0;
    for (const auto& [p, loss] : samples) total += term((p - fit.middle) / fit.half, loss);
    return total;
  };
  const auto mean = sum([](double u, double) { return u; }) / n;
  const auto mean_square = sum([](double u, double) { return u * u; }) / n;
  const auto mean_loss = sum([](double, double loss) { return loss; }) / n;
  const auto linear = [&](double u) { return u - mean; };
  const auto spread = sum([&](double u, double) { return linear(u) * linear(u); });
  const auto skew = sum([&](double u, double) { return u * u * linear(u); }) / spread;
  const auto square = [&](double u) { return u * u - mean_square - skew * linear(u); };
  const auto slope = sum([&](double u, double loss) { return linear(u) * (loss - mean_loss); }) / spread;
  fit.a = sum([&](double u, double loss) { return square(u) * (loss - mean_loss); }) /
          sum([&](double u, double) { return square(u) * square(u); });
  fit.b = slope - fit.a * skew;
  return fit;
}

/// Why the vertex is of no use; "" when it is.
std::string objection(const std::vector<PLoss>& samples, const Parabola& fit) {
  const auto largest = std::ranges::max(samples, {}, [](const PLoss& sample) { return std::abs(sample.loss); }).loss;
  if (std::abs(fit.a) <= kFlat * std::abs(largest)) return "the losses lie on a straight line";
  if (fit.a < 0) return "the parabola through the losses opens downwards";
  const auto vertex = fit.vertex();
  if (vertex < samples.front().p || vertex > samples.back().p)
    return fmt::format("the parabola's vertex p = {:.4g} is outside of {:.4g} to {:.4g}", vertex, samples.front().p,
                       samples.back().p);
  return {};
}

}  // namespace

std::vector<double> sampled_p(int64_t count, double low, double high) {
  if (count < 3 || !(low > 0) || !(low < high) || !std::isfinite(high))
    throw request_error("{} values of p in [{}, {}] cannot be fitted", count, low, high)
        .hint("a parabola needs three values or more, in a range above 0");
  std::vector<double> p(static_cast<size_t>(count));
  for (size_t i = 0; i < p.size(); ++i)
    p[i] = low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1);
  return p;
}

ChosenP fit_p(std::span<const double> p, std::span<const double> losses) {
  const auto samples = finite_losses(p, losses);
  const auto& best = *std::ranges::min_element(samples, {}, &PLoss::loss);
  ChosenP chosen{.p = best.p};
  auto problem = fmt::format("only {} of {} losses are finite", samples.size(), p.size());
  if (samples.size() >= 3) {
    const auto fit = fit_parabola(samples);
    problem = objection(samples, fit);
    if (problem.empty()) {
      chosen.p = fit.vertex();
      chosen.fitted = true;
      chosen.reason =
          fmt::format("p = {:.4g} is the vertex of the parabola through {} losses", chosen.p, samples.size());
      return chosen;
    }
  }
  chosen.reason = fmt::format("{}; p = {:.4g} has the least loss of those that were tried", problem, chosen.p);
  return chosen;
}

}  // namespace compress::quant
