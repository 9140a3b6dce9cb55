#include "core/text.h"
#include "quant/quantizer.h"
#include "quant/report/quantizer_report.h"
#include "report/summary.h"
#include "train/kept_samples.h"

#include <algorithm>

namespace compress::report {

namespace {

constexpr int64_t kMostBins = 128;
constexpr int64_t kHistogramWidth = 40;

/// Neighbouring bins of a fine histogram joined, from the first to the last that holds something.
struct CoarseHistogram {
  std::vector<double> edges;
  std::vector<int64_t> counts;
};

CoarseHistogram coarse(const quant::Histogram& fine, int64_t most_bins) {
  const auto zero_bin = [&](int64_t i) { return fine.edge(i) <= 0 && fine.edge(i + 1) > 0 ? fine.zeros() : 0; };
  int64_t first = fine.bins(), last = -1;
  for (int64_t i = 0; i < fine.bins(); ++i) {
    if (fine.count(i) + zero_bin(i) == 0) continue;
    first = std::min(first, i);
    last = i;
  }
  CoarseHistogram result;
  const auto joined = std::max<int64_t>((last - first + most_bins) / most_bins, 1);
  for (int64_t i = first; i <= last; ++i) {
    if ((i - first) % joined == 0) {
      result.edges.push_back(fine.edge(i));
      result.counts.push_back(0);
    }
    result.counts.back() += fine.count(i) + zero_bin(i);
  }
  if (last >= first) result.edges.push_back(fine.edge(first + static_cast<int64_t>(result.counts.size()) * joined));
  return result;
}

/// A line of characters, the darker the more numbers; '|' where the grid ends.
std::string bar(const quant::QuantizerReport& report) {
  static constexpr std::string_view kShades = " .:-=+*#%@";
  const auto shown = coarse(report.seen->histogram(), kHistogramWidth);
  int64_t most = 1;
  for (const auto count : shown.counts) most = std::max(most, count);
  const auto inside = [&](size_t i) {
    const double centre = (shown.edges[i] + shown.edges[i + 1]) / 2;
    return !report.range || (centre >= report.range->low && centre <= report.range->high);
  };
  std::string line;
  for (size_t i = 0; i < shown.counts.size(); ++i) {
    if (i > 0 && inside(i) != inside(i - 1)) line += '|';
    const auto shade = (shown.counts[i] * 9 + most - 1) / most;
    line += kShades[static_cast<size_t>(shade)];
  }
  return line;
}

void add_rows(Sheet& sheet, const quant::QuantizerReport& report, const CoarseHistogram& histogram) {
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    std::vector<Cell> row{fmt::format("{}[{}]", report.name, i), report.name, histogram.edges[i],
                          histogram.edges[i + 1], histogram.counts[i]};
    row.resize(7);
    if (report.range) row[5] = report.range->low, row[6] = report.range->high;
    sheet.row(std::move(row));
  }
}

nlohmann::json histogram_json(const quant::QuantizerReport& report, const CoarseHistogram& histogram) {
  nlohmann::json object{
      {"name", report.name},        {"kind", quant::role_word(report.role)},     {"edges", histogram.edges},
      {"counts", histogram.counts}, {"zeros", report.seen->histogram().zeros()}, {"range", nullptr}};
  if (report.range) object["range"] = {report.range->low, report.range->high};
  return object;
}

SummaryForms make_histograms(const SummaryRequest& request) {
  auto graph = request.graph.clone();
  quant::finish(graph);
  quant::QuantizerWatch watch(graph);
  if (request.samples)
    request.samples->each(graph, [&](const train::KeptSamples::Prepared& batch) { watch.add(batch.inputs); });
  const auto reports = watch.reports();
  require_quantizers(!reports.empty());
  Sheet sheet({{"Name"}, {"Quantizer"}, {"From"}, {"To"}, {"Count"}, {"Grid low"}, {"Grid high"}});
  Sheet text({{"Quantizer"}, {"From", 4}, {"To", 4}, {"Histogram ('|': the grid ends)"}});
  auto histograms = nlohmann::json::array();
  for (const auto& report : reports) {
    if (!report.seen) continue;
    const auto histogram = coarse(report.seen->histogram(), kMostBins);
    add_rows(sheet, report, histogram);
    histograms.push_back(histogram_json(report, histogram));
    const auto extremes = report.seen->extremes();
    text.row({report.name, extremes.low, extremes.high, bar(report)});
  }
  return {.text = text.text(), .json = {{"rows", sheet.json()}, {"histograms", histograms}}, .sheet = std::move(sheet)};
}

}  // namespace

extern const Summary histograms_summary;
const Summary histograms_summary{
    .name = "histograms",
    .doc =
        "how the numbers that each quantiser rounds are distributed (activations with --data), and where its grid ends",
    .files = {".txt", ".csv", ".json"},
    .data = SummaryData::optional,
    .make = make_histograms};

}  // namespace compress::report
