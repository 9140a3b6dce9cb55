#include "run/preflight.h"

#include "core/settings.h"
#include "core/text.h"
#include "run/model.h"
#include "train/trainer.h"

#include <unistd.h>

namespace compress::run {

namespace {

namespace fs = std::filesystem;

/// Names that a run directory uses itself (report/run_directory.h).
const std::vector<std::string> kOwnFiles{"recipe.yaml", "metrics.jsonl", "log.txt",         "checkpoint",
                                         "best",        "final",         "summary.json",    "confusion.csv",
                                         "search",      "lock",          "ema.safetensors", "weights_sparsity.csv"};

/// QDQ files carry integers of at most 8 bits; 32 means floating point. Biases have their own 32 bits.
void check_bits(const Yaml& value) {
  for (size_t i = 0; i < value.keys.size(); ++i) {
    const auto& item = value.items[i];
    const bool bits =
        value.keys[i] == "bits_weights" || value.keys[i] == "bits_activations" || value.keys[i] == "num_bits_inputs";
    if (bits && item.is_scalar()) {
      const auto number = from_yaml<int64_t>(item, value.keys[i]);
      if (number > 8 && number < 32)
        throw request_error("'{}' is {}, but the exported format 'onnx-qdq' carries at most 8 bits", value.keys[i],
                            number)
            .at(item.place);
    }
    check_bits(item);
  }
  if (value.is_sequence())
    for (const auto& item : value.items) check_bits(item);
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

void check_export_file(const std::string& file) {
  const auto first = fs::path(file).lexically_normal().begin()->string();
  for (const auto& own : kOwnFiles)
    if (first == own)
      throw request_error("the export '{}' would overwrite the run's own '{}'", file, own)
          .hint("choose another file name");
  if (fs::path(file).is_absolute()) return require_writable_file(file);
  if (fs::path(file).has_parent_path())
    throw request_error("the export '{}' names a folder", file)
        .hint("exports stand in the run directory: give a bare file name, or an absolute path");
}

void check_exports(const schedule::Recipe& recipe) {
  const auto* quantizers = recipe.root.find("quantizers");
  const bool quantizes = quantizers && quantizers->is_map() && !quantizers->items.empty();
  for (const auto& config : recipe.exports) {
    check_export_file(config.file);
    if (config.format == "onnx" && quantizes)
      throw request_error("the recipe quantises, but exports the floating-point format 'onnx'")
          .hint("use 'format: onnx-qdq'");
    if (config.format == "onnx-qdq" && !quantizes && recipe.has_model() && recipe.model.run.empty())
      throw request_error("the recipe exports 'onnx-qdq', but has no quantizer")
          .hint("use 'format: onnx', or add a quantizer");
    if (config.format == "onnx-qdq" && quantizes) check_bits(*quantizers);
  }
}

}  // namespace

void check_surroundings(const schedule::Recipe& recipe) {
  if (recipe.name.find('/') != std::string::npos || recipe.name == "..")
    throw request_error("the run's name '{}' has a '/'", recipe.name).hint("the name becomes a folder under runs/");
  check_precision(recipe);
  if (recipe.has_data()) data::dataset_info(recipe.data.name);
  check_exports(recipe);
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
