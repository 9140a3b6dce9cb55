// compress eval M --data D: metrics of a model on a split.
#include "command.h"
#include "core/file.h"
#include "core/text.h"
#include "data_flags.h"
#include "early_exit/exit_task.h"
#include "run/measure.h"
#include "run/model.h"
#include "run/preflight.h"

namespace compress::tools {

namespace {

struct Flags {
  ModelFlags model;
  std::string data, split = "test", device = "cpu", task, confusion;
  int64_t limit = 0, batch_size = 128, threads = 0, seed = 1;
  std::vector<std::string> overrides;
};

/// What --set says: the sections 'data' and 'early_exits'.
Yaml overrides(const Flags& flags) {
  auto root = Yaml::map();
  root.set("data", Yaml::map());
  root.set("early_exits", Yaml::map());
  for (const auto& assignment : flags.overrides) set_override(root, assignment);
  for (const auto& key : root.keys)
    if (key != "data" && key != "early_exits")
      throw request_error("--set of eval knows the sections 'data' and 'early_exits' only, not '{}'", key);
  return root;
}

/// Other thresholds for the model's early exits.
void set_thresholds(const Yaml& section, Graph& graph) {
  if (!section.is_map()) throw request_error("'early_exits' must be a map, not {}", section.kind_name());
  std::map<std::string, double> thresholds;
  for (size_t i = 0; i < section.keys.size(); ++i) {
    Settings settings;
    settings.required("threshold", thresholds[section.keys[i]], "below which entropy a sample leaves here", in(0, 1));
    settings.read(section.items[i], fmt::format("exit '{}'", section.keys[i]));
  }
  early_exit::set_thresholds(graph, thresholds);
}

data::DataConfig data_config(const Flags& flags, Yaml section) {
  data::DataConfig config;
  config.batch_size = flags.batch_size;
  if (flags.limit > 0) config.limits[flags.split] = flags.limit;
  config.set_source(flags.data);
  Settings settings;
  config.declare(settings);
  if (!section.find("name")) section.set("name", Yaml::scalar(config.name, true));
  settings.read(section, "data");
  return config;
}

/// Told to count a confusion matrix when one is asked for.
std::unique_ptr<train::Task> task_of(const Flags& flags, const std::string& otherwise) {
  auto section = Yaml::map();
  if (!flags.task.empty()) section.set("class", Yaml::scalar(flags.task));
  if (!flags.confusion.empty()) {
    if ((flags.task.empty() ? otherwise : flags.task) != "classification")
      throw request_error("--confusion is for the task 'classification', and this one is '{}'",
                          flags.task.empty() ? otherwise : flags.task);
    section.set("confusion_matrix", Yaml::scalar("true"));
  }
  try {
    return train::make_task(section, otherwise);
  } catch (Error& error) {
    throw error.hint("see 'compress list tasks'");
  }
}

void eval(const Flags& flags) {
  if (!flags.confusion.empty()) run::require_writable_file(flags.confusion);
  const auto sections = overrides(flags);
  auto config = data_config(flags, *sections.find("data"));
  auto graph = open_model(flags.model);
  set_thresholds(*sections.find("early_exits"), graph);
  run::follow_normalization(graph, config);
  train::set_threads(flags.threads);
  const auto splits = data::open_splits(config, static_cast<uint64_t>(flags.seed));
  const auto task = early_exit::with_exits(task_of(flags, splits.info.task), graph);
  task->bind(graph, splits.test->fields());
  const auto result = run::measure(
      graph, split_of(splits, flags.split), flags.split, *task,
      {.batch_size = config.batch_size, .device = train::parse_device(flags.device), .title = flags.split});
  nlohmann::json object;
  Table table({"Metric", "Value"});
  for (const auto& [name, value] : result.metrics) {
    object[name] = value;
    if (!name.starts_with(early_exit::exit_stem(""))) table.row({name, fmt::format("{:.4f}", value)});
  }
  object["samples"] = result.samples;
  object["images_per_second"] = result.images_per_second;
  object["split"] = flags.split;
  table.row({"samples", with_commas(result.samples)});
  table.row({"images per second", fmt::format("{:.0f}", result.images_per_second)});
  auto text = table.str();
  if (!result.exits.empty()) {
    object["early_exit"] = early_exit::to_json(result.exits);
    text += "\n" + result.exits.str();
  }
  if (!result.confusion.empty()) {
    const auto& names = splits.info.class_names;
    write_file(flags.confusion, result.confusion.csv(names));
    object["confusion_matrix"] = result.confusion.counts;
    if (result.confusion.counts.size() <= kMostClassesShown) text += "\n" + result.confusion.str(names);
    text += "wrote " + flags.confusion + "\n";
  }
  print(object, text);
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  flags->model.declare(app);
  app.add_option("--data", flags->data, kDataHelp)->required();
  app.add_option("--split", flags->split, "train, validation or test");
  app.add_option("--limit", flags->limit,
                 "at most so many samples: a random subset of the split, the same for the same --seed")
      ->check(whole_number(1));
  app.add_option("--batch-size", flags->batch_size, "samples a batch")->check(whole_number(1));
  app.add_option("--device", flags->device, "cpu, cuda or cuda:N");
  app.add_option("--task", flags->task, "task (compress list tasks); the data set's by default");
  app.add_option("--confusion", flags->confusion, "CSV file for the confusion matrix (rows: labels)");
  app.add_option("--threads", flags->threads, "threads; 0: one a core")->check(whole_number(0));
  app.add_option("--seed", flags->seed, "which samples form the validation split, and the subset of --limit");
  app.add_option(
         "--set", flags->overrides,
         "override a value of the data section (--set data.normalize.mean=[0.5,0.5,0.5]), or the threshold of an "
         "early exit (--set early_exits.NAME.threshold=0.3)")
      ->allow_extra_args(false);
  return [flags] { eval(*flags); };
}

}  // namespace

extern const Command eval_command;
const Command eval_command{"eval", "metrics of a model on a data set",
                           "compress eval model.onnx --data cifar10:DIR --split test --json", add};

}  // namespace compress::tools
