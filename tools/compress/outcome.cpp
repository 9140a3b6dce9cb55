#include "outcome.h"

#include "command.h"
#include "core/text.h"

namespace compress::tools {

namespace {

std::string cell(const nlohmann::json& measurement, const char* key, bool metric = false) {
  const auto& object = metric ? measurement.at("metrics") : measurement;
  if (!object.contains(key)) return "-";
  const auto& value = object.at(key);
  return value.is_number_integer() ? with_commas(value.get<int64_t>()) : fmt::format("{:.2f}", value.get<double>());
}

std::string ratio(const nlohmann::json& summary, const char* key) {
  return summary.at("ratio").contains(key) ? fmt::format("{:.3f} x", summary.at("ratio").at(key).get<double>()) : "";
}

/// Nothing when only the best one was asked for.
std::string best_epochs_text(const nlohmann::json& summary) {
  const auto& best = summary.at("best_epochs");
  if (best.size() < 2) return "";
  Table table({"best epoch", "validation", "sparsity %"});
  for (const auto& score : best)
    table.row({std::to_string(score.at("epoch").get<int64_t>() + 1),
               fmt::format("{:.4g}", score.at("value").get<double>()),
               fmt::format("{:.1f}", score.at("sparsity").get<double>())});
  return table.str() + "\n";
}

/// The confusion matrix itself when it fits a terminal.
std::string confusion_text(const run::Outcome& outcome) {
  if (!outcome.summary.contains("confusion_matrix")) return "";
  const train::ConfusionMatrix matrix{outcome.summary.at("confusion_matrix")};
  const auto names = outcome.summary.at("classes").get<std::vector<std::string>>();
  return (matrix.counts.size() <= kMostClassesShown ? matrix.str(names) + "\n" : "") +
         fmt::format("classes  {}\n", (outcome.directory / "confusion.csv").string());
}

std::string summary_text(const run::Outcome& outcome) {
  const auto& summary = outcome.summary;
  const auto& before = summary.at("baseline");
  const auto& after = summary.at("result");
  Table table({"", "before", "after", "ratio"});
  for (const auto& [name, value] : after.at("metrics").items())
    table.row({"test " + name, cell(before, name.c_str(), true), cell(after, name.c_str(), true), ""});
  table.row({"MACs", cell(before, "macs"), cell(after, "macs"), ratio(summary, "macs")});
  table.row({"parameters", cell(before, "parameters"), cell(after, "parameters"), ratio(summary, "parameters")});
  table.row({"non-zero parameters", cell(before, "nonzero"), cell(after, "nonzero"), ratio(summary, "nonzero")});
  table.row(
      {"weight bytes", cell(before, "weight_bytes"), cell(after, "weight_bytes"), ratio(summary, "weight_bytes")});
  std::string text = "\n" + table.str() + "\n";
  text += best_epochs_text(summary) + confusion_text(outcome);
  for (const auto& row : summary.at("exports"))
    text += fmt::format("model    {} ({}, {})\n", row.at("file").get<std::string>(),
                        row.at("format").get<std::string>(), human_bytes(row.at("bytes").get<int64_t>()));
  text += fmt::format("metrics  {}\nsummary  {}\ntime     {}\n", (outcome.directory / "metrics.jsonl").string(),
                      (outcome.directory / "summary.json").string(), human_time(summary.at("seconds").get<double>()));
  return text;
}

}  // namespace

void report(const run::Outcome& outcome) {
  print(outcome.summary, summary_text(outcome));
  if (outcome.failed_checks.empty()) return;
  Error error(Fault::check, "a check of the recipe failed: " + outcome.failed_checks[0]);
  for (size_t i = 1; i < outcome.failed_checks.size(); ++i)
    error.also(Error(Fault::check, "a check of the recipe failed: " + outcome.failed_checks[i]));
  throw error;
}

}  // namespace compress::tools
