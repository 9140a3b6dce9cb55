#pragma once

#include "graph/graph.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

/// The subcommands: parse flags, call lib, print. Only here is stdout written; main chooses the exit status.
namespace compress::tools {

/// One subcommand: one file and one line in commands.def. `add` declares the flags and returns what runs when they were
/// parsed.
struct Command {
  const char* name;
  const char* doc;      ///< one line
  const char* example;  ///< shown at the end of --help
  std::function<void()> (*add)(CLI::App& app);
};
const std::vector<const Command*>& commands();

/// Flags that every subcommand takes.
struct GlobalOptions {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};
GlobalOptions& global();

/// Data goes to stdout: one JSON object with --json, else the text.
void print(const nlohmann::json& object, const std::string& text);

/// A confusion matrix of more classes is written to its file only.
inline constexpr size_t kMostClassesShown = 20;

/// A model's description, shared by the commands.
inline constexpr const char* kModelHelp = "zoo name (NAME?key=value), ONNX file or run directory";
inline constexpr const char* kDataHelp = "data set: NAME or NAME:DIR (compress list datasets)";

/// The model that a command works on: its first argument, --weights and --match.
struct ModelFlags {
  std::string spec, weights, match = "strict";
  void declare(CLI::App& app);
};
/// With the weights' seed 1 where no file gives them.
Graph open_model(const ModelFlags& flags);

}  // namespace compress::tools
