#include "quant/lapq/evaluations.h"

#include "core/error.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace compress::quant {

namespace {

constexpr int kStateVersion = 1;

Error other_search(int64_t evaluation) {
  return request_error("the saved search took other points than this one (up to evaluation {})", evaluation)
      .hint(
          "start, bounds, options, seed, network and program must be those of the saved search; remove the saved state "
          "to start afresh");
}

uint64_t mixed(uint64_t trace, uint64_t word) {
  return std::rotl((trace ^ word) * 0x9e3779b97f4a7c15, 29) + word;
}

uint64_t extended(uint64_t trace, const Point& point, std::optional<size_t> axis) {
  trace = mixed(trace, axis ? *axis + 1 : 0);
  for (const double x : point) trace = mixed(trace, std::bit_cast<uint64_t>(x));
  return trace;
}

uint64_t parse_hex(const std::string& text) {
  uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (code != std::errc{} || end != text.data() + text.size())
    throw request_error("the saved search is damaged: '{}' is no hexadecimal number", text);
  return value;
}

std::string counted(int64_t n, std::string_view what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

}  // namespace

void Region::check(const Point& start) const {
  if (lower.empty()) throw request_error("there is nothing to search: no coordinates");
  if (upper.size() != size() || step.size() != size() || start.size() != size())
    throw request_error("a search has {} lower bounds, {} upper bounds, {} steps and a start of {} coordinates", size(),
                        upper.size(), step.size(), start.size());
  for (size_t i = 0; i < size(); ++i) {
    if (!(lower[i] <= upper[i]))
      throw request_error("coordinate {}: the bounds {} and {} are not in order", i, lower[i], upper[i]);
    if (!(step[i] > 0) || !std::isfinite(step[i]))
      throw request_error("coordinate {}: the step is {}; it must be a positive number", i, step[i]);
    if (!std::isfinite(start[i]) || start[i] < lower[i] || start[i] > upper[i])
      throw request_error("coordinate {}: the start {} is outside the bounds {} and {}", i, start[i], lower[i],
                          upper[i]);
  }
}

Point Region::clamped(Point point) const {
  for (size_t i = 0; i < size(); ++i) point[i] = std::clamp(point[i], lower[i], upper[i]);
  return point;
}

Evaluations::Evaluations(Loss loss, int64_t max_evaluations, std::function<void(const Progress&)> progress)
    : loss_(std::move(loss)), progress_(std::move(progress)), max_evaluations_(max_evaluations) {
  if (max_evaluations < 1) throw request_error("a search needs one evaluation at least, not {}", max_evaluations);
}

double Evaluations::operator()(const Point& point, std::optional<size_t> axis) {
  if (spent()) throw BudgetSpent{};
  const auto trace = extended(trace_, point, axis);
  if (replaying()) return replay(trace);
  auto loss = loss_(point, axis);
  if (!std::isfinite(loss) || loss > kWorstLoss) loss = kWorstLoss;
  trace_ = trace;
  record(point, loss);
  return loss;
}

double Evaluations::replay(uint64_t trace) {
  const bool last = count_ + 1 == std::ssize(losses_);
  if (last && trace != saved_trace_) throw other_search(count_ + 1);  // before anything of what was saved is lost
  trace_ = trace;
  return losses_[static_cast<size_t>(count_++)];
}

void Evaluations::record(const Point& point, double loss) {
  losses_.push_back(loss);
  ++count_;
  if (best_.evaluation == 0 || loss < best_.loss) best_ = {point, loss, count_};
  if (progress_) progress_({count_, loss, best_});
}

nlohmann::json Evaluations::save() const {
  return {{"version", kStateVersion},
          {"losses", losses_},
          {"trace", fmt::format("{:016x}", replaying() ? saved_trace_ : trace_)},
          {"best", {{"point", best_.point}, {"loss", best_.loss}, {"evaluation", best_.evaluation}}}};
}

void Evaluations::load(const nlohmann::json& state) {
  if (count_ > 0) throw request_error("a saved search can only be loaded before the first evaluation");
  try {
    if (const int version = state.at("version"); version != kStateVersion)
      throw request_error("the saved search has version {}; this program reads version {}", version, kStateVersion);
    auto losses = state.at("losses").get<std::vector<double>>();
    const auto& best = state.at("best");
    BestPoint point{best.at("point").get<Point>(), best.at("loss").get<double>(), best.at("evaluation").get<int64_t>()};
    saved_trace_ = parse_hex(state.at("trace").get<std::string>());
    losses_ = std::move(losses);
    best_ = std::move(point);
  } catch (const nlohmann::json::exception& error) {
    throw request_error("the saved search is damaged: {}", error.what());
  }
}

void Evaluations::check_replayed() const {
  if (replaying() && !spent()) throw other_search(count_);
}

std::string stop_text(const Outcome& outcome, const Evaluations& evaluations) {
  const auto iterations = counted(outcome.iterations, "iteration");
  switch (outcome.stop) {
  case Stop::converged: return "converged after " + iterations;
  case Stop::iterations: return "stopped at its limit of " + iterations;
  case Stop::evaluations: return "stopped at its limit of " + counted(evaluations.count(), "evaluation");
  }
  return {};
}

}  // namespace compress::quant
