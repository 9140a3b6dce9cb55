#pragma once

#include "quant/lapq/evaluations.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace compress::quant {

/// What a LAPQ run knows so far, and where it is kept: enough to go on with the same bits.
class LapqRecord {
public:
  /// `folder`: of the run; empty: nothing is kept. `origin` says what a stored record must have begun with: another one
  /// is left alone until the first save.
  LapqRecord(const std::filesystem::path& folder, std::string origin);

  /// The loss of a stage, by name: from the record, or measured now and then saved.
  double loss(const std::string& stage, const std::function<double()>& measure);
  /// The saved search, when there is one.
  const nlohmann::json& search() const { return search_; }
  /// Replaces the search and saves.
  void save(nlohmann::json search);

  /// How many losses it knows, and the least of them.
  int64_t evaluations() const;
  double least() const;

private:
  void write() const;

  std::filesystem::path file_;
  std::string origin_;
  nlohmann::json losses_ = nlohmann::json::object(), search_;
};

}  // namespace compress::quant
