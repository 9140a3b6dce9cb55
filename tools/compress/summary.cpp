// compress summary M: what a model is made of.
#include "analysis/cost.h"
#include "analysis/coupled_channels.h"
#include "analysis/sparsity.h"
#include "command.h"
#include "core/file.h"
#include "core/text.h"
#include "graph/text_form.h"
#include "run/preflight.h"

namespace compress::tools {

namespace {

struct Flags {
  std::string model, what = "compute", output;
};

/// A summary as text, as a table for CSV (when it is one) and as JSON.
struct Summary {
  std::string text, csv;
  nlohmann::json json;
};

nlohmann::json rows(const Table& table) {
  auto list = nlohmann::json::array();
  for (const auto& cells : table.rows()) {
    nlohmann::json row;
    for (size_t i = 0; i < cells.size(); ++i) {
      auto digits = cells[i];
      std::erase(digits, ',');
      const auto number = nlohmann::json::parse(digits, nullptr, false);
      row[table.header()[i]] = number.is_number() ? number : nlohmann::json(cells[i]);
    }
    list.push_back(row);
  }
  return list;
}

Summary compute(const Graph& graph) {
  const auto cost = analysis::cost(graph);
  const auto table = analysis::compute_table(cost);
  return {table.str() + fmt::format("Total MACs: {}\nTotal weights: {}\nTotal parameters: {}\n", with_commas(cost.macs),
                                    with_commas(cost.weights), with_commas(cost.parameters)),
          table.csv(),
          {{"rows", rows(table)},
           {"total_macs", cost.macs},
           {"total_weights", cost.weights},
           {"total_parameters", cost.parameters}}};
}

Summary sparsity(const Graph& graph) {
  const auto list = analysis::sparsity(graph);
  Table table({"Name", "Shape", "NNZ (dense)", "NNZ (sparse)", "Cols (%)", "Rows (%)", "Ch (%)", "2D (%)", "3D (%)",
               "Fine (%)", "Std", "Mean", "Abs-Mean"});
  const auto percent = [](double value) { return fmt::format("{:.2f}", value); };
  const auto number = [](double value) { return fmt::format("{:.5f}", value); };
  int64_t dense = 0, nonzero = 0;
  for (const auto& row : list) {
    table.row({row.name, shape_text(row.shape), with_commas(row.dense), with_commas(row.nonzero), percent(row.columns),
               percent(row.rows), percent(row.channels), percent(row.kernels), percent(row.filters),
               percent(row.elements), number(row.std), number(row.mean), number(row.abs_mean)});
    dense += row.dense;
    nonzero += row.nonzero;
  }
  const double total = analysis::total_sparsity(list);
  table.row({"Total sparsity:", "-", with_commas(dense), with_commas(nonzero), "", "", "", "", "", percent(total), "",
             "", ""});
  return {table.str() + fmt::format("Total sparsity: {:.2f}\n", total),
          table.csv(),
          {{"rows", rows(table)}, {"total_sparsity", total}}};
}

Summary model(const Graph& graph) {
  const auto text = print_graph(graph);
  return {text, text, {{"text", text}}};
}

Summary modules(const Graph& graph) {
  Table table({"Name", "Type", "Inputs", "Parameters"});
  for (const auto& node : graph.nodes()) {
    std::vector<std::string> inputs, parameters;
    for (const auto& input : node.inputs)
      if (!input.empty()) (graph.find_parameter(input) ? parameters : inputs).push_back(input);
    table.row({node.name, node.op, join(inputs, " "), join(parameters, " ")});
  }
  return {table.str(), table.csv(), {{"rows", rows(table)}}};
}

Summary groups(const Graph& graph) {
  const auto table = analysis::groups_table(analysis::CoupledChannels(graph));
  return {table.str(), table.csv(), {{"rows", rows(table)}}};
}

const std::vector<std::pair<std::string, Summary (*)(const Graph&)>> kSummaries{
    {"compute", compute}, {"groups", groups}, {"model", model}, {"modules", modules}, {"sparsity", sparsity}};

void summary(const Flags& flags) {
  if (!flags.output.empty()) run::require_writable_file(flags.output);
  std::vector<std::string> names;
  for (const auto& [name, make] : kSummaries) {
    names.push_back(name);
    if (name != flags.what) continue;
    const auto result = make(open_model(flags.model));
    if (flags.output.empty()) return print(result.json, result.text);
    write_file(flags.output, flags.output.ends_with(".csv")    ? result.csv
                             : flags.output.ends_with(".json") ? result.json.dump(2) + "\n"
                                                               : result.text);
    return print({{"file", flags.output}}, "wrote " + flags.output + "\n");
  }
  throw request_error("there is no summary '{}'", flags.what)
      .hint(did_you_mean(flags.what, names))
      .hint("one of " + join_words(names, "or"));
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("model", flags->model, kModelHelp)->required();
  app.add_option("--what", flags->what, "compute, groups, model, modules or sparsity");
  app.add_option("-o,--output", flags->output, "write to a file: .csv, .json, else text");
  return [flags] { summary(*flags); };
}

}  // namespace

extern const Command summary_command;
const Command summary_command{"summary", "what a model is made of: compute, sparsity, coupled channels, text form",
                              "compress summary resnet20_cifar --what groups", add};

}  // namespace compress::tools
