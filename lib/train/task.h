#pragma once

#include "core/registry.h"
#include "core/settings.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "train/confusion_matrix.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace compress::train {

/// Named numbers in a fixed order: {"top1": 91.2, "top5": 99.7, "loss": 0.25}; shares in percent.
using Metrics = std::vector<std::pair<std::string, double>>;
/// NaN when there is none.
double metric(const Metrics& metrics, std::string_view name);

/// Sums up a pass over the data.
class Meter {
public:
  virtual ~Meter() = default;
  virtual void add(const std::map<std::string, at::Tensor>& outputs, const data::Batch& batch) = 0;
  virtual Metrics result() const = 0;
  /// Empty unless the task was told to count one.
  virtual ConfusionMatrix confusion() const { return {}; }
};
/// The meter's result with every NaN as "nan": those of the hardware carry a sign.
Metrics result_of(const Meter& meter);

/// Loss, metrics and which direction is better, over the named outputs of a graph. One file and one line in tasks.def
/// each (classification, regression).
class Task {
public:
  virtual ~Task() = default;
  virtual void declare(Settings& settings) = 0;
  /// Checks outputs' shapes and fields against what the task needs; throws a request error.
  virtual void bind(const Graph& graph, const std::vector<data::FieldInfo>& fields) = 0;
  virtual at::Tensor loss(const std::map<std::string, at::Tensor>& outputs, const data::Batch& batch) const = 0;
  virtual std::unique_ptr<Meter> meter() const = 0;
  /// The metric that decides which checkpoint is best ...
  virtual std::string main_metric() const = 0;
  /// ... and whether more of it is better.
  virtual bool higher_is_better() const = 0;
  /// Rejects data the loss cannot take (a label out of range) with a run error naming it.
  virtual void check_batch(const data::Batch& batch) const = 0;
};
const Registry<Task>& tasks();

/// Makes a task from `training.task`: {class: regression, ...}; `otherwise` (the data set's) when the section is
/// absent. Throws a request error.
std::unique_ptr<Task> make_task(const Yaml& section, std::string_view otherwise);

}  // namespace compress::train
