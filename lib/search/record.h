#pragma once

#include "graph/graph.h"
#include "search/evaluator.h"
#include "search/size.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace compress::search {

/// One iteration of a search: what was done, and how good the network is that it led to.
struct Iteration {
  int64_t number = 0;                 ///< 0: before the first
  std::string unit;                   ///< "" for number 0
  int64_t removed = 0, channels = 0;  ///< of the unit: gone in this iteration, and left
  int64_t candidates = 0;             ///< networks that were tried
  Score score;
  Size size;
};

/// How far a search has come: the network so far, what became of its parameters, and all iterations.
struct Record {
  Graph graph{"none"};
  Changes changes;
  std::vector<Iteration> iterations;
  bool finished = false;
  std::string unmet;  ///< what a finished search did not reach
};

/// A search's files: `folder`/best (io/checkpoint.h) and `folder`/search.csv, a row an iteration. Each is written
/// beside and renamed. Nothing happens with an empty folder.
class RecordFiles {
public:
  /// `metric` is the name of the task's main metric. `origin` tells the network and recipe that the search began with
  /// from others.
  RecordFiles(std::filesystem::path folder, std::string metric, std::string origin)
      : folder_(std::move(folder)), metric_(std::move(metric)), origin_(std::move(origin)) {}

  void save(const Record& record) const;
  /// None when nothing was saved yet, or by another search.
  std::optional<Record> load() const;

private:
  std::string csv(const Record& record) const;

  std::filesystem::path folder_;
  std::string metric_, origin_;
};

}  // namespace compress::search
