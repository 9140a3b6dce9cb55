#include "run/preflight.h"

#include "core/settings.h"
#include "core/text.h"
#include "passes/pass.h"
#include "quant/export/export_formats.h"
#include "quant/runtime/runtime.h"
#include "run/export.h"
#include "run/model.h"
#include "train/trainer.h"

#include <algorithm>
#include <unistd.h>

namespace compress::run {

namespace {

namespace fs = std::filesystem;

/// Names that a run directory uses itself (report/run_directory.h), or a quantiser's search in it.
const std::vector<std::string> kOwnFiles{
    "recipe.yaml",     "metrics.jsonl",        "log.txt",       "checkpoint",      "best",
    "final",           "summary.json",         "confusion.csv", "search",          "lock",
    "ema.safetensors", "weights_sparsity.csv", "lapq.json",     "clip_search.yaml"};

bool stays_floating(const Yaml& quantizer, const std::string& kind) {
  const auto* bits = quantizer.find("bits_" + kind);
  return bits && (bits->is_null() || bits->text == "32");
}

/// What the runtime of a quantizer's entry says where the entry itself says nothing.
bool runtime_takes_gfpq(const Yaml& quantizer, const std::string& kind) {
  const auto* name = quantizer.find("runtime");
  const auto* word = quantizer.find(kind);
  if (!name || !quant::runtimes().find(name->text) || (word && word->text != "runtime")) return false;
  const auto rule = quant::runtimes().make(name->text)->rule();
  return (kind == "weights" ? rule.weights : rule.activations).grid.format == ops::GridFormat::gfpq;
}

/// Simulated quantisers compute in float32 only.
void check_precision(const schedule::Recipe& recipe) {
  const auto precision = recipe.training.precision;
  train::check_precision(precision, train::parse_device(recipe.training.device));
  for (const auto& policy : recipe.policies)
    if (precision != train::Precision::float32 && policy.kind == "quantizer" && !policy.window.at_end())
      throw request_error("quantizer '{}' trains with simulated integers, which need 'precision: float32'",
                          policy.instance)
          .at(policy.place);
}

/// A file that the run writes: `what` names it.
void check_own_file(std::string_view what, const std::string& file) {
  const auto first = fs::path(file).lexically_normal().begin()->string();
  for (const auto& own : kOwnFiles)
    if (first == own)
      throw request_error("{} '{}' would overwrite the run's own '{}'", what, file, own)
          .hint("choose another file name");
  if (fs::path(file).is_absolute()) return require_writable_file(file);
  if (fs::path(file).has_parent_path())
    throw request_error("{} '{}' names a folder", what, file)
        .hint("it stands in the run directory: give a bare file name, or an absolute path");
}

/// The entries of a section; none when the recipe has no such section.
std::vector<Yaml> entries(const schedule::Recipe& recipe, std::string_view section) {
  const auto* map = recipe.root.find(section);
  return map && map->is_map() ? map->items : std::vector<Yaml>{};
}

/// An entry of `quantizers` that no policy names does nothing.
bool has_quantizer(const schedule::Recipe& recipe) {
  return std::ranges::any_of(recipe.policies, [](const auto& policy) { return policy.kind == "quantizer"; });
}

void check_export(const schedule::Recipe& recipe, const schedule::ExportConfig& config) {
  check_own_file("the export", config.file);
  if (fs::path(config.file).is_absolute())
    for (const auto& form : config.encodings) require_writable_file(encodings_file(config.file, form));
  const bool quantizes = has_quantizer(recipe);
  const auto& format = quant::export_format(config.format);
  if (format.lower == nullptr && quantizes)
    throw request_error("the recipe quantises, but exports the floating-point format '{}'", format.name)
        .hint("use 'format: onnx-qdq'");
  if (!format.integers || !quantizes) return;
  if (const auto* grid = grid_without_onnx_form(*recipe.root.find("quantizers")))
    throw request_error("ONNX has no operators for the grid GFPQ ('{}'), which the format '{}' would need", grid->text,
                        format.name)
        .at(grid->place)
        .hint("use 'format: onnx-float' with 'encodings: [nnie]': the marks then stand in a file beside the model");
}

void check_exports(const schedule::Recipe& recipe) {
  const auto* section = recipe.root.find("export");
  for (size_t i = 0; i < recipe.exports.size(); ++i)
    schedule::check_in(section->is_sequence() ? section->items[i] : *section,
                       [&] { check_export(recipe, recipe.exports[i]); });
}

/// Statistics are written into the run directory, or to an absolute path.
void check_statistics_files(const schedule::Recipe& recipe) {
  for (const auto& quantizer : entries(recipe, "quantizers")) {
    const auto* file = quantizer.find("save_statistics");
    if (!file || !file->is_scalar() || file->text.empty()) continue;
    schedule::check_in(quantizer, [&] { check_own_file("the file of statistics", file->text); });
  }
}

}  // namespace

void check_surroundings(const schedule::Recipe& recipe) {
  if (recipe.name.find('/') != std::string::npos || recipe.name == "..")
    throw request_error("the run's name '{}' has a '/'", recipe.name).hint("the name becomes a folder under runs/");
  check_precision(recipe);
  if (recipe.has_data()) data::dataset_info(recipe.data.name);
  check_exports(recipe);
  check_statistics_files(recipe);
}

const Yaml* grid_without_onnx_form(const Yaml& quantizers) {
  if (quantizers.is_map())
    for (const std::string kind : {"weights", "activations"}) {
      if (stays_floating(quantizers, kind)) continue;
      if (const auto* word = quantizers.find(kind); word && word->text == "gfpq") return word;
      if (runtime_takes_gfpq(quantizers, kind)) return quantizers.find("runtime");
    }
  for (const auto& item : quantizers.items)
    if (const auto* found = grid_without_onnx_form(item)) return found;
  return nullptr;
}

void check_formats(const schedule::Recipe& recipe, const Graph& graph) {
  const auto pass_quantizes = [](const schedule::PolicyEntry& policy) {
    return policy.kind == "pass" && passes::passes().make(policy.class_name)->quantizes();
  };
  const bool quantizes =
      is_quantized(graph) || has_quantizer(recipe) || std::ranges::any_of(recipe.policies, pass_quantizes);
  for (const auto& config : recipe.exports)
    if (quant::export_format(config.format).lower != nullptr && !quantizes)
      throw request_error("the recipe exports '{}', but has no quantizer", config.format)
          .hint(entries(recipe, "quantizers").empty() ? "use 'format: onnx', or add a quantizer"
                                                      : "no policy names one of 'quantizers'");
}

void check_inputs(const schedule::Recipe& recipe, const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& input : graph.inputs) names.push_back(input.name);
  for (const auto& [name, field] : recipe.model.inputs)
    if (!graph.is_input(name))
      throw request_error("model.inputs: the model has no input '{}'", name)
          .hint(did_you_mean(name, names))
          .hint("its inputs are " + join_words(names));
}

void check_data(const schedule::Recipe& recipe, const Graph& graph) {
  if (!recipe.has_data()) return;
  const auto fields = data::declared_fields(recipe.data);
  if (fields.empty()) return;  // only the files can say
  const auto task = make_task(recipe, graph, data::dataset_info(recipe.data.name).task);
  task->bind(graph, fields);
  train::match_inputs(graph, fields, recipe.model.inputs);
  check_metrics(recipe.checks, *task);
}

void check_metrics(const schedule::ChecksConfig& checks, const train::Task& task) {
  std::vector<std::string> known;
  for (const auto& [name, value] : task.meter()->result()) known.push_back(name);
  for (const auto* limits : {&checks.metric_at_least, &checks.metric_at_most, &checks.drop_at_most})
    for (const auto& [name, limit] : *limits)
      if (std::find(known.begin(), known.end(), name) == known.end())
        throw request_error("checks: there is no metric '{}'", name)
            .hint(did_you_mean(name, known))
            .hint("the metrics are " + join_words(known));
}

void require_writable_file(const fs::path& path) {
  const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(folder))
    throw request_error("cannot write '{}': there is no folder '{}'", path.string(), folder.string());
  if (fs::is_directory(path)) throw request_error("cannot write '{}': it is a folder", path.string());
  if (::access(folder.c_str(), W_OK) != 0)
    throw request_error("cannot write '{}': the folder '{}' is not writable", path.string(), folder.string());
}

}  // namespace compress::run
