#pragma once

#include "core/yaml.h"
#include "data/dataset.h"
#include "distill/distiller.h"
#include "early_exit/exit_config.h"
#include "quant/export/overflow_guard.h"
#include "schedule/component.h"
#include "schedule/scheduler.h"
#include "train/trainer.h"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace compress::schedule {

/// The `model:` section; at most one of arch, onnx, run.
struct ModelConfig {
  std::string arch;  ///< zoo name, with arguments ("mobilenet_v1?width=0.5")
  std::string onnx;
  std::string run;                            ///< run directory
  std::string weights;                        ///< safetensors or ONNX file
  std::string match = "strict";               ///< strict | by_name
  std::map<std::string, std::string> inputs;  ///< graph input -> data field
  void declare(Settings& settings);
  /// The source as one text, as --model takes it; "" when none is given.
  std::string spec() const;
};

/// One entry of `export:`.
struct ExportConfig {
  std::string format = "onnx";  ///< a word of quant::export_formats()
  std::string file = "model.onnx";
  std::optional<int64_t> opset;  ///< none: 17, or the oldest one behind it that the network needs
  bool external_data = false;
  quant::OverflowGuard overflow_guard = quant::OverflowGuard::automatic;
  std::vector<std::string> encodings;  ///< words of quant::encodings_writers(): files with ranges beside the model
  void declare(Settings& settings);
  /// Throws a request error for an unknown word or a contradiction.
  void check() const;
};

/// The `checks:` section: thresholds that fail the run (exit 1).
struct ChecksConfig {
  std::map<std::string, double> metric_at_least;  ///< {top1: 90}
  std::map<std::string, double> metric_at_most;   ///< {loss: 0.4}
  std::map<std::string, double> drop_at_most;     ///< {top1: 0.5}: points lost against the baseline
  std::optional<double> macs_ratio_at_most;       ///< of the baseline's MACs
  std::optional<double> parameters_ratio_at_most;
  std::optional<double> sparsity_at_least;  ///< percent of the weights that are zero
  std::optional<int64_t> bytes_at_most;     ///< of the first exported file
  void declare(Settings& settings);
};

/// A recipe, parsed and checked as far as is possible without the model: classes, arguments, windows. A superset of
/// Distiller's schedules.
class Recipe {
public:
  /// Collects all problems and throws them together, in the order of the file. Warns of components that no policy uses.
  static Recipe parse(Yaml root);
  /// From a file, after the overrides ("training.epochs=3").
  static Recipe read(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});

  std::string name;  ///< absent: the file's name without extension
  ModelConfig model;
  data::DataConfig data;
  train::TrainingConfig training;
  std::vector<PolicyEntry> policies;
  std::vector<early_exit::ExitConfig> early_exits;
  std::vector<ExportConfig> exports;
  ChecksConfig checks;
  Yaml root;  ///< resolved: overrides applied
  bool has_model() const { return !model.spec().empty(); }
  bool has_data() const { return !data.name.empty(); }
  int64_t epochs() const;  ///< training.epochs, else the largest ending_epoch
  std::string hash() const;

  /// Makes the policies and binds them to the graph that training begins with: every name and pattern must match. All
  /// problems at once.
  std::unique_ptr<Scheduler> bind(const Graph& graph, const distill::OpenModel& open) const;
  /// The timeline: one line per policy.
  std::string timeline() const;
};

}  // namespace compress::schedule
