#include "data_flags.h"

#include "command.h"
#include "early_exit/exit_task.h"
#include "run/model.h"
#include "train/trainer.h"

#include <charconv>
#include <cmath>

namespace compress::tools {

/// CLI11's own words for this are a range with an end of 300 digits.
CLI::Validator whole_number(int64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size() && number >= least) return {};
    return fmt::format("takes a whole number of at least {}, not '{}'", least, text);
  };
  return {check, ""};
}

CLI::Validator finite_number(double least) {
  const auto check = [least](const std::string& text) -> std::string {
    double number = 0;
    if (CLI::detail::lexical_cast(text, number) && std::isfinite(number) && number >= least) return {};
    return fmt::format("takes a finite number{}, not '{}'",
                       std::isinf(least) ? "" : fmt::format(" of at least {}", least), text);
  };
  return {check, ""};
}

std::vector<std::string> data_overrides(const std::string& spec) {
  if (spec.empty()) return {};
  data::DataConfig config;
  config.set_source(spec);
  std::vector<std::string> overrides{"data.name=" + to_text(Yaml::scalar(config.name, true))};
  if (!config.path.empty()) overrides.push_back("data.path=" + to_text(Yaml::scalar(config.path, true)));
  return overrides;
}

const data::DatasetPtr& split_of(const data::Splits& splits, const std::string& name) {
  if (name == "test") return splits.test;
  if (name == "train") return splits.calibration;
  if (name == "validation") {
    if (!splits.validation) throw request_error("there is no validation split: data.validation_split is 0");
    return splits.validation;
  }
  throw request_error("unknown split '{}'", name).hint("train, validation or test");
}

void DataFlags::declare(CLI::App& app, const std::string& data_help) {
  auto* given = app.add_option("--data", data, data_help);
  app.add_option("--split", split, "train, validation or test")->needs(given);
  app.add_option("--samples", samples, fmt::format("how many samples, drawn by --seed ({})", samples))
      ->check(whole_number(1));
  app.add_option("--seed", seed, "which samples are drawn")->check(whole_number(0));
}

OpenedData open_data(const DataFlags& flags, const Graph& graph) {
  data::DataConfig config;
  config.set_source(flags.data);
  config.limits[flags.split] = flags.samples;
  run::follow_normalization(graph, config);
  const auto splits = data::open_splits(config, static_cast<uint64_t>(flags.seed));
  const auto& dataset = split_of(splits, flags.split);
  OpenedData opened{.task = early_exit::with_exits(train::make_task(Yaml(), splits.info.task), graph)};
  opened.task->bind(graph, dataset->fields());
  train::match_inputs(graph, dataset->fields(), {});
  opened.samples = std::make_unique<train::KeptSamples>(
      dataset, *opened.task, train::KeptSamples::Options{.batch_size = flags.batch_size, .purpose = "reading samples"});
  return opened;
}

}  // namespace compress::tools
