#include "train/read_component.h"
#include "train/task.h"

#include <cmath>
#include <limits>

namespace compress::train {

#define ENTRY(name) extern const Entry<Task> name;
#include "train/tasks.def"
#undef ENTRY

const Registry<Task>& tasks() {
  static constexpr const Entry<Task>* kEntries[] = {
#define ENTRY(name) &name,
#include "train/tasks.def"
#undef ENTRY
  };
  static constexpr Registry<Task> kRegistry("task", kEntries);
  return kRegistry;
}

std::unique_ptr<Task> make_task(const Yaml& section, std::string_view otherwise) {
  return read_component(tasks(), section, otherwise);
}

Metrics result_of(const Meter& meter) {
  auto metrics = meter.result();
  for (auto& [name, value] : metrics)
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return metrics;
}

double metric(const Metrics& metrics, std::string_view name) {
  for (const auto& [known, value] : metrics)
    if (known == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace compress::train
