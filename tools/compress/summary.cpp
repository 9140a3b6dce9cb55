// compress summary M: what a model is made of.
#include "report/summary.h"

#include "command.h"
#include "core/text.h"
#include "data_flags.h"
#include "run/preflight.h"

namespace compress::tools {

namespace {

struct Flags {
  ModelFlags model;
  std::string what = "compute", compare, output;
  std::optional<int> depth;
  DataFlags data;
};

report::SummaryForms make(const report::Summary& kind, const Flags& flags, const Graph& graph) {
  if (flags.data.data.empty()) return kind.make({.graph = graph, .depth = flags.depth});
  const auto opened = open_data(flags.data, graph);
  return kind.make({.graph = graph, .depth = flags.depth, .samples = opened.samples.get()});
}

/// The names of the summaries, all or those with a depth.
std::vector<std::string> summary_names(bool with_depth) {
  std::vector<std::string> names;
  for (const auto* summary : report::summaries())
    if (summary->has_depth || !with_depth) names.emplace_back(summary->name);
  return names;
}

void summary(const Flags& flags) {
  const auto& kind = report::find_summary(flags.what);
  if (flags.depth && !kind.has_depth)
    throw request_error("the {} summary has no depth", flags.what)
        .hint("--depth goes with --what " + join_words(summary_names(true), "or"));
  if (!flags.output.empty()) {
    flags.compare.empty() ? report::require_form(kind, flags.output) : report::require_comparison_form(flags.output);
    run::require_writable_file(flags.output);
  }
  report::require_data(kind, !flags.data.data.empty());
  auto forms = make(kind, flags, open_model(flags.model));
  if (!flags.compare.empty())
    forms = report::compare_summaries(flags.model.spec, forms, flags.compare,
                                      make(kind, flags, open_model({.spec = flags.compare})));
  if (flags.output.empty()) return print(forms.json, forms.text);
  report::write_summary(forms, flags.output);
  print({{"file", flags.output}}, "wrote " + flags.output + "\n");
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  std::string kinds;
  for (const auto* kind : report::summaries()) kinds += fmt::format("\n{}: {}", kind->name, kind->doc);
  flags->model.declare(app);
  app.add_option("--what", flags->what, "which summary (compute):" + kinds);
  app.add_option("--compare", flags->compare, "show what changes from the model to this one, in any of the summaries");
  app.add_option("-o,--output", flags->output,
                 "write to a file: .txt, .csv or .json; the graph as .svg, .png, .pdf or .dot");
  app.add_option("--depth", flags->depth, "levels of modules: rows of `modules` (all), boxes of `graph` (2)")
      ->check(CLI::Range(0, 1000));
  flags->data.declare(app, std::string(kDataHelp) + ", for quantization, histograms and sensitivity");
  return [flags] { summary(*flags); };
}

}  // namespace

extern const Command summary_command;
const Command summary_command{"summary",
                              "what a model is made of: cost, sparsity, modules, coupled channels, a drawing",
                              "compress summary resnet20_cifar --compare pruned.onnx", add};

}  // namespace compress::tools
