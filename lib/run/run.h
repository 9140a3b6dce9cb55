#pragma once

#include "distill/distiller.h"
#include "schedule/recipe.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace compress::run {

struct RunOptions {
  std::filesystem::path out;     ///< run directory; empty: runs/NAME/TIMESTAMP
  bool resume = false;           ///< `out` is an existing run to go on with
  bool reset_optimizer = false;  ///< a resumed run's optimiser starts without its state
  std::string command;           ///< the command line, for the summary
  distill::OpenModel open_model;
};

/// What a run leaves: the content of summary.json, and the failed checks as sentences.
struct Outcome {
  nlohmann::json summary;
  std::vector<std::string> failed_checks;
  std::filesystem::path directory;
};

/// From recipe to run directory: open model and data, bind, train, keep the best, evaluate on the test split, export,
/// check. Everything that can be found wrong before training is found before the run directory is made.
Outcome run_recipe(const schedule::Recipe& recipe, const RunOptions& options);

/// Binds names and prints the timeline without data and training: `check` and `--dry-run`.
std::string describe(const schedule::Recipe& recipe, const distill::OpenModel& open_model);

}  // namespace compress::run
