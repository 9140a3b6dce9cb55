#pragma once

#include "search/environment.h"
#include "search/evaluator.h"
#include "search/fine_tune.h"
#include "search/record.h"
#include "train/hook.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace compress::search {

/// How a greedy search goes about it.
struct GreedySettings {
  enum class Mode { step_share, netadapt };

  double target = 0;  ///< share of the resource that is to be left
  Resource resource = Resource::macs;
  double step = 0.1;
  Mode mode = Mode::step_share;
  UnitOptions units;
  int64_t samples = 0, max_iterations = 0;  ///< 0: all, no limit
  std::optional<double> metric_limit;
  std::optional<FineTune> fine_tune;
};

/// Takes, iteration by iteration, the one of all single steps whose network scores best.
class Greedy {
public:
  Greedy(const GreedySettings& settings,
         Importance importance,
         train::State& state,
         const std::filesystem::path& folder);

  /// Goes on to the end and leaves the result in the record.
  const Record& run();
  const SearchData& data() const { return data_; }

private:
  struct Candidate {
    size_t unit = 0;
    int64_t removed = 0;
    Environment::Step step;
    Score score;
  };

  void start();
  std::string iterate();
  void note(Iteration iteration);
  std::vector<Candidate> candidates() const;
  int64_t channels_to_remove(size_t unit) const;
  void add_equal_savings(std::vector<Candidate>& candidates) const;
  Candidate best_untuned(std::vector<Candidate> candidates) const;
  Candidate best_tuned(std::vector<Candidate> candidates) const;
  std::string beyond_limit(const Score& score) const;
  std::string unmet(const std::string& why) const;
  double way() const;
  int64_t goal() const;

  const GreedySettings& settings_;
  train::State& state_;
  SearchData data_;
  Evaluator evaluator_;
  Environment environment_;
  RecordFiles files_;
  Record record_;
};

}  // namespace compress::search
