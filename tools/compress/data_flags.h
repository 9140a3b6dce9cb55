#pragma once

#include "data/dataset.h"
#include "train/kept_samples.h"
#include "train/task.h"

#include <CLI/CLI.hpp>

#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace compress::tools {

/// A whole number of at least `least`, in plain words when it is none.
CLI::Validator whole_number(int64_t least);

/// A finite number of at least `least`.
CLI::Validator finite_number(double least = -std::numeric_limits<double>::infinity());

/// --data as overrides of a recipe.
std::vector<std::string> data_overrides(const std::string& spec);

/// The split of this name: train (without augmentation), validation or test. Throws a request error for others.
const data::DatasetPtr& split_of(const data::Splits& splits, const std::string& name);

/// The samples that a command looks at: --data, --split, --samples, --seed.
struct DataFlags {
  std::string data, split = "test";
  int64_t samples = 256, seed = 1, batch_size = 32;
  void declare(CLI::App& app, const std::string& data_help);
};

/// Opened for one network: its normalisation, its task.
struct OpenedData {
  std::unique_ptr<train::Task> task;
  std::unique_ptr<train::KeptSamples> samples;
};
/// Throws a request error when data and network do not fit.
OpenedData open_data(const DataFlags& flags, const Graph& graph);

}  // namespace compress::tools
