#pragma once

#include "graph/graph.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What a model is made of, in the forms of `compress summary`.
namespace compress::report {

/// One summary in each form that it has.
struct SummaryForms {
  std::string text;  ///< for a person
  nlohmann::json json;
  std::string csv = {};  ///< when it is a table
  std::string dot = {};  ///< when it is a drawing, in Graphviz's language
};

/// One value of `--what`: one file and one line in summaries.def.
struct Summary {
  std::string_view name;
  std::string_view doc;                 ///< one line
  std::vector<std::string_view> files;  ///< endings of the files it can be written to, as ".csv"
  bool has_depth = false;               ///< takes a number of levels of modules
  /// `depth`: nothing is the summary's own choice.
  SummaryForms (*make)(const Graph& graph, std::optional<int> depth);
};
std::span<const Summary* const> summaries();

/// Throws a request error with the nearest name.
const Summary& find_summary(std::string_view name);

/// Throws a request error when the summary has no form for the file's ending, or the program that draws it is missing.
void require_form(const Summary& summary, const std::filesystem::path& file);

/// Writes the form that the file's ending asks for; pictures (.svg, .png, .pdf) are drawn by Graphviz.
void write_summary(const SummaryForms& forms, const std::filesystem::path& file);

}  // namespace compress::report
