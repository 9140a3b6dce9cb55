#pragma once

#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace compress::report {

/// The folder of one run:
///
///     recipe.yaml       the resolved recipe
///     metrics.jsonl     one line an epoch
///     log.txt
///     checkpoint/       the last finished epoch (io/checkpoint.h)
///     best/             the best epoch after the last compressing policy
///     final/            the model the run ended with
///     search/NAME/      a search's best network so far and its iterations (search/record.h)
///     summary.json      what came out
///     weights_sparsity.csv
///     *.onnx            exported models
class RunDirectory {
public:
  /// Makes `out`, or runs/NAME/TIMESTAMP when empty. Throws a request error when it cannot be written or holds a run
  /// already.
  static RunDirectory create(const std::filesystem::path& out, const std::string& name);
  /// An existing run; throws a request error when it is none. Both refuse a
  /// directory in which another process is running.
  static RunDirectory open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }
  std::filesystem::path checkpoint() const { return path_ / "checkpoint"; }
  std::filesystem::path best() const { return path_ / "best"; }
  std::filesystem::path recipe() const { return path_ / "recipe.yaml"; }

  void append_metrics(const nlohmann::json& line) const;
  /// Drops the lines of epochs >= `epoch`: what a killed run wrote after its last checkpoint.
  void rewind_metrics(int64_t epoch) const;
  void write_summary(const nlohmann::json& summary) const;

private:
  explicit RunDirectory(std::filesystem::path path);
  std::filesystem::path path_;
  std::shared_ptr<void> lock_;  ///< held while this object lives: one process a run directory
};

}  // namespace compress::report
