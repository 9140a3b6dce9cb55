// compress verify A B: two forms of one network side by side, layer by layer.
#include "analysis/accumulation.h"
#include "analysis/compare_models.h"
#include "command.h"
#include "core/cpu.h"
#include "core/file.h"
#include "core/text.h"
#include "data_flags.h"
#include "report/sheet.h"
#include "run/comparable.h"
#include "run/preflight.h"
#include "train/trainer.h"

#include <cmath>

namespace compress::tools {

namespace {

/// Below it a layer of 8 bits is suspicious, and one of 4 bits usual.
constexpr double kDivergence = 10;

struct Flags {
  std::string first, second, csv;
  DataFlags data;
  std::optional<double> threshold, max_error;
  int64_t threads = 0;
};

using analysis::ModelComparison;

/// The batches of the data, or random ones; inputs in the order of `graph`.
void for_inputs(const Flags& flags,
                const Graph& graph,
                int64_t batch_size,
                const std::function<void(const std::vector<at::Tensor>&)>& consume) {
  if (flags.data.data.empty())
    return run::for_random_inputs(
        graph,
        {.samples = flags.data.samples, .batch_size = batch_size, .seed = static_cast<uint64_t>(flags.data.seed)},
        consume);
  auto data = flags.data;
  data.batch_size = batch_size;
  open_data(data, graph).samples->each(graph, [&](const auto& batch) { consume(batch.inputs); });
}

std::vector<report::Cell> measures(const analysis::Difference& difference) {
  return {difference.sqnr(), difference.max_error(), difference.mean_absolute_error(), difference.mean_error(),
          difference.cosine()};
}

const std::vector<report::Column>& measure_columns() {
  static const std::vector<report::Column> columns{
      {"SQNR (dB)", 1}, {"Max error", 5}, {"Mean |error|", 6}, {"Mean error", 6}, {"Cosine", 6}};
  return columns;
}

report::Sheet sheet_with(std::vector<report::Column> columns, const std::vector<report::Column>& more) {
  columns.insert(columns.end(), more.begin(), more.end());
  return report::Sheet(std::move(columns));
}

report::Sheet layer_sheet(const ModelComparison& comparison) {
  auto sheet = sheet_with({{"Layer"}, {"Type"}, {"Shape"}}, measure_columns());
  for (const auto& layer : comparison.layers) {
    std::vector<report::Cell> row{layer.name, layer.op, shape_text(layer.shape)};
    for (auto& cell : measures(layer.difference)) row.push_back(std::move(cell));
    sheet.row(std::move(row));
  }
  return sheet;
}

report::Sheet output_sheet(const ModelComparison& comparison) {
  auto sheet = sheet_with({{"Output"}, {"Shape"}}, measure_columns());
  sheet = sheet_with(sheet.columns(), {{"Same top-1 (%)", 2}});
  for (const auto& output : comparison.outputs) {
    std::vector<report::Cell> row{output.name, shape_text(output.shape)};
    for (auto& cell : measures(output.difference)) row.push_back(std::move(cell));
    if (output.top1_agreement) row.emplace_back(*output.top1_agreement);
    sheet.row(std::move(row));
  }
  return sheet;
}

std::string listed(const std::string& what, const std::vector<std::string>& names) {
  return names.empty() ? "" : fmt::format("{}: {}\n", what, join(names, ", "));
}

std::string db_text(double sqnr) {
  return std::isinf(sqnr) ? (sqnr > 0 ? "exact" : "no signal, or not finite") : fmt::format("{:.1f} dB", sqnr);
}

std::string divergence_text(const ModelComparison& comparison, double threshold) {
  const auto* first = comparison.first_below(threshold);
  if (!first) return fmt::format("No layer's SQNR is below {} dB.\n", threshold);
  return fmt::format("First layer below {} dB: {} ({}, {})\n", threshold, first->name, first->op,
                     db_text(first->difference.sqnr()));
}

/// What processors make of the integers in either model.
std::string processor_text(const Graph& first, const Graph& second) {
  int64_t pairs = 0;
  for (const auto* graph : {&first, &second})
    for (const auto& layer : analysis::accumulations(*graph)) pairs += layer.pair_overflows();
  const auto cpu = this_cpu();
  if (pairs == 0) return fmt::format("Processor: {}\n", cpu.str());
  return fmt::format(
      "Processor: {}. Layers whose byte sums can overflow 16 bits in runtimes on x86 without VNNI: {}; this "
      "processor {} affected. Here they are summed exactly.\n",
      cpu.str(), pairs, cpu.saturates_pairs() ? "is" : "is not");
}

/// The limits that were missed, as sentences.
std::vector<std::string> missed(const Flags& flags, const ModelComparison& comparison) {
  std::vector<std::string> sentences;
  if (flags.threshold) {
    if (const auto* layer = comparison.first_below(*flags.threshold))
      sentences.push_back(fmt::format("the SQNR of layer '{}' is {}, but must be at least {} dB", layer->name,
                                      db_text(layer->difference.sqnr()), *flags.threshold));
    for (const auto& output : comparison.outputs)
      if (output.difference.sqnr() < *flags.threshold)
        sentences.push_back(fmt::format("the SQNR of output '{}' is {}, but must be at least {} dB", output.name,
                                        db_text(output.difference.sqnr()), *flags.threshold));
  }
  for (const auto& output : comparison.outputs)
    if (flags.max_error && !(output.difference.max_error() <= *flags.max_error))
      sentences.push_back(fmt::format("the largest error of output '{}' is {:.6g}, but may be {} at most", output.name,
                                      output.difference.max_error(), *flags.max_error));
  return sentences;
}

nlohmann::json to_json(const ModelComparison& comparison, double threshold, const std::vector<std::string>& failures) {
  const auto* first = comparison.first_below(threshold);
  return {{"samples", comparison.samples},
          {"outputs", output_sheet(comparison).json()},
          {"layers", layer_sheet(comparison).json()},
          {"threshold", threshold},
          {"first_divergence", first ? nlohmann::json(first->name) : nlohmann::json()},
          {"only_first", comparison.only_reference},
          {"only_second", comparison.only_other},
          {"other_shape", comparison.other_shape},
          {"processor", this_cpu().str()},
          {"failures", failures}};
}

void verify(const Flags& flags) {
  if (!flags.csv.empty()) run::require_writable_file(flags.csv);
  train::set_threads(flags.threads);
  const auto first = run::comparable(open_model({.spec = flags.first}));
  const auto second = run::comparable(open_model({.spec = flags.second}));
  analysis::ModelComparer comparer(first, second);
  for_inputs(flags, first, comparer.batch_size(), [&](const auto& inputs) { comparer.add(inputs); });
  const auto comparison = comparer.result();
  const double threshold = flags.threshold.value_or(kDivergence);
  const auto failures = missed(flags, comparison);
  const auto layers = layer_sheet(comparison);
  if (!flags.csv.empty()) write_file(flags.csv, layers.csv());
  auto text = layers.text() + "\n" + output_sheet(comparison).text() + "\n";
  text += fmt::format("{} {} samples. {}", with_commas(comparison.samples),
                      flags.data.data.empty() ? "random" : flags.data.split, divergence_text(comparison, threshold));
  text += listed("Only in the first model", comparison.only_reference) +
          listed("Only in the second model", comparison.only_other) +
          listed("Of another shape, not compared", comparison.other_shape) + processor_text(first, second);
  if (!flags.csv.empty()) text += "wrote " + flags.csv + "\n";
  print(to_json(comparison, threshold, failures), text);
  if (!failures.empty()) throw Error(Fault::check, join(failures, "; "));
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("first", flags->first, std::string("the reference: ") + kModelHelp)->required();
  app.add_option("second", flags->second, "the model compared with it, the same")->required();
  flags->data.declare(app, std::string(kDataHelp) + "; without it random inputs (standard normal) are taken");
  app.add_option(
         "--threshold", flags->threshold,
         fmt::format("least SQNR of every layer and output in dB; without it nothing is required, and the first "
                     "layer below {} dB is shown",
                     kDivergence))
      ->check(finite_number());
  app.add_option("--max-error", flags->max_error, "largest absolute error of the outputs")->check(finite_number(0));
  app.add_option("--csv", flags->csv, "also write the table of layers to a file");
  app.add_option("--threads", flags->threads, "threads; 0: one a core")->check(whole_number(0));
  return [flags] { verify(*flags); };
}

}  // namespace

extern const Command verify_command;
const Command verify_command{"verify", "compare two forms of a model, layer by layer: SQNR, errors, first divergence",
                             "compress verify resnet20.onnx runs/resnet20_int8 --data cifar10:DIR --threshold 20", add};

}  // namespace compress::tools
