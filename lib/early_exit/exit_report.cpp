#include "early_exit/exit_report.h"

#include "core/text.h"
#include "early_exit/exit_config.h"
#include "early_exit/exit_task.h"
#include "early_exit/path_cost.h"

#include <cmath>

namespace compress::early_exit {

ExitReport exit_report(const Graph& graph, const train::Metrics& metrics) {
  ExitReport report;
  const auto exits = exits_of(graph);
  if (exits.empty()) return report;
  for (const auto& branch : exits.branches)
    report.exits.push_back({.name = branch.name,
                            .output = branch.output,
                            .threshold = branch.threshold,
                            .loss_weight = branch.loss_weight});
  std::vector<double> weights;
  for (const auto& branch : exits.branches) weights.push_back(branch.loss_weight);
  report.exits.push_back({.name = kFinal, .output = exits.final_output, .loss_weight = final_loss_weight(weights)});
  const auto macs = path_macs(graph, exits);
  for (size_t i = 0; i < macs.size(); ++i) {
    auto& exit = report.exits[i];
    exit.share = train::metric(metrics, metric_name(exit.name, "share"));
    exit.correct = train::metric(metrics, metric_name(exit.name, "correct"));
    exit.top1 = train::metric(metrics, metric_name(exit.name, "top1"));
    exit.macs = macs[i];
    report.mean_macs += exit.share / 100 * static_cast<double>(exit.macs);
  }
  return report;
}

std::string ExitReport::str() const {
  Table table({"Exit", "Threshold", "Share %", "Top-1 of these %", "Top-1 of all %", "MACs"});
  for (const auto& exit : exits)
    table.row({exit.name, exit.name == kFinal ? "" : fmt::format("{:g}", exit.threshold),
               fmt::format("{:.2f}", exit.share), exit.share > 0 ? fmt::format("{:.2f}", exit.top1_leaving()) : "",
               fmt::format("{:.2f}", exit.top1), with_commas(exit.macs)});
  return table.str() + fmt::format("MACs of a sample on average: {}\n", with_commas(std::llround(mean_macs)));
}

nlohmann::json to_json(const ExitReport& report) {
  auto rows = nlohmann::json::array();
  for (const auto& exit : report.exits) {
    nlohmann::json row{{"name", exit.name},
                       {"output", exit.output},
                       {"loss_weight", exit.loss_weight},
                       {"share", exit.share},
                       {"top1_of_these", exit.share > 0 ? nlohmann::json(exit.top1_leaving()) : nlohmann::json()},
                       {"top1_of_all", exit.top1},
                       {"macs", exit.macs}};
    if (exit.name != kFinal) row["threshold"] = exit.threshold;
    rows.push_back(std::move(row));
  }
  return {{"exits", rows}, {"mean_macs", report.mean_macs}};
}

}  // namespace compress::early_exit
