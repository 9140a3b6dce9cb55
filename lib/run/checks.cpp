#include "run/checks.h"

#include <cmath>

namespace compress::run {

namespace {

class Checker {
public:
  Checker(const Measurement& baseline, const Measurement& result) : baseline_(baseline), result_(result) {}

  void metric(const std::string& name, double limit, bool at_least) {
    const double value = train::metric(result_.metrics, name);
    if (std::isnan(value)) return add(fmt::format("there is no metric '{}' to check", name));
    if (at_least ? value < limit : value > limit)
      add(fmt::format("{} is {:.2f}, but must be at {} {}", name, value, at_least ? "least" : "most", limit));
  }
  void drop(const std::string& name, double limit) {
    const double lost = train::metric(baseline_.metrics, name) - train::metric(result_.metrics, name);
    if (std::isnan(lost)) return add(fmt::format("there is no metric '{}' to check", name));
    if (lost > limit) add(fmt::format("{} dropped by {:.2f}, but may drop by {} at most", name, lost, limit));
  }
  void ratio(const char* what, int64_t value, int64_t baseline, std::optional<double> limit) {
    if (limit && static_cast<double>(value) > *limit * static_cast<double>(baseline))
      add(fmt::format("{} are {:.3f} of the baseline's, but may be {} at most", what,
                      static_cast<double>(value) / static_cast<double>(baseline), *limit));
  }
  void add(std::string failure) { failures.push_back(std::move(failure)); }

  std::vector<std::string> failures;

private:
  const Measurement& baseline_;
  const Measurement& result_;
};

}  // namespace

std::vector<std::string> failed_checks(const schedule::ChecksConfig& checks,
                                       const Measurement& baseline,
                                       const Measurement& result,
                                       const std::vector<int64_t>& export_bytes) {
  Checker checker(baseline, result);
  for (const auto& [name, limit] : checks.metric_at_least) checker.metric(name, limit, true);
  for (const auto& [name, limit] : checks.metric_at_most) checker.metric(name, limit, false);
  for (const auto& [name, limit] : checks.drop_at_most) checker.drop(name, limit);
  checker.ratio("MACs", result.macs, baseline.macs, checks.macs_ratio_at_most);
  checker.ratio("parameters", result.parameters, baseline.parameters, checks.parameters_ratio_at_most);
  if (checks.sparsity_at_least && result.sparsity < *checks.sparsity_at_least)
    checker.add(
        fmt::format("the sparsity is {:.2f} %, but must be at least {} %", result.sparsity, *checks.sparsity_at_least));
  if (checks.bytes_at_most) {
    if (export_bytes.empty())
      checker.add("bytes_at_most needs an exported file, and the recipe exports none");
    else if (export_bytes[0] > *checks.bytes_at_most)
      checker.add(fmt::format("the exported file has {} bytes, but may have {} at most", export_bytes[0],
                              *checks.bytes_at_most));
  }
  return checker.failures;
}

}  // namespace compress::run
