#pragma once

#include "graph/graph.h"
#include "report/sheet.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compress::train {
class KeptSamples;
}

/// What a model is made of, in the forms of `compress summary`.
namespace compress::report {

/// A number about the whole model.
struct Total {
  std::string key;    ///< in JSON: "total_macs"
  std::string label;  ///< for a person: "Total MACs"
  Cell value;
  int digits = 2;  ///< behind the decimal point, for a person
};

/// One summary in each form that it has.
struct SummaryForms {
  std::string text;  ///< for a person
  nlohmann::json json;
  std::string dot = {};  ///< when it is a drawing, in Graphviz's language
  Sheet sheet = {};      ///< CSV, and what is compared: a row a thing, whose name is the first cell
  std::vector<Total> totals = {};
};

/// A summary that is a table: the text behind the table, the rows as {"rows": [...]} with the totals beside them.
SummaryForms table_forms(Sheet sheet, std::vector<Total> totals, const std::string& text = {});
/// "Total MACs: 2,293,000\n" and so on.
std::string totals_text(const std::vector<Total>& totals);

/// What a summary is made from.
struct SummaryRequest {
  const Graph& graph;
  std::optional<int> depth = {};                ///< nothing is the summary's own choice
  const train::KeptSamples* samples = nullptr;  ///< null: no data was given
};

enum class SummaryData { unused, optional, required };

/// One value of `--what`: one file and one line in summaries.def.
struct Summary {
  std::string_view name;
  std::string_view doc;                    ///< one line
  std::vector<std::string_view> files;     ///< endings of the files it can be written to, as ".csv"
  bool has_depth = false;                  ///< takes a number of levels of modules
  SummaryData data = SummaryData::unused;  ///< whether it looks at samples
  SummaryForms (*make)(const SummaryRequest& request) = nullptr;
};
std::span<const Summary* const> summaries();

/// Throws a request error with the nearest name.
const Summary& find_summary(std::string_view name);

/// Two summaries of one kind side by side: what was before, what is after, and the change. Rows belong together by
/// name; those that one side lacks are `removed` or `added`. A person sees the rows that differ, and of them the
/// columns that are marked so; programs get everything.
SummaryForms compare_summaries(const std::string& before_name,
                               const SummaryForms& before,
                               const std::string& after_name,
                               const SummaryForms& after);

/// Throws a request error when a comparison has no form for the file's ending: .txt, .csv or .json.
void require_comparison_form(const std::filesystem::path& file);

/// Throws a request error when the summary needs data that is not there, or is given some that it does not use.
void require_data(const Summary& summary, bool given);

/// For summaries of quantisers: throws a request error when the model has none.
void require_quantizers(bool found);

/// Throws a request error when the summary has no form for the file's ending, or the program that draws it is missing.
void require_form(const Summary& summary, const std::filesystem::path& file);

/// As text; bytes that are no UTF-8 (names in a file may be anything) are replaced.
std::string json_text(const nlohmann::json& json);

/// Writes the form that the file's ending asks for; pictures (.svg, .png, .pdf) are drawn by Graphviz.
void write_summary(const SummaryForms& forms, const std::filesystem::path& file);

}  // namespace compress::report
