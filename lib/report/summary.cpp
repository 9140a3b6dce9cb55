#include "report/summary.h"

#include "core/file.h"
#include "core/text.h"
#include "report/graphviz.h"

#include <algorithm>

namespace compress::report {

#define ENTRY(name) extern const Summary name;
#include "report/summaries.def"
#undef ENTRY

namespace {

std::string ending_of(const std::filesystem::path& file) {
  return to_lower(file.extension().string());
}

void require_ending(const std::string& what,
                    const std::vector<std::string_view>& endings,
                    const std::filesystem::path& file) {
  if (std::ranges::find(endings, ending_of(file)) != endings.end()) return;
  const std::vector<std::string> allowed(endings.begin(), endings.end());
  throw request_error("{} cannot be written to '{}'", what, file.string())
      .hint("the file's name ends with " + join_words(allowed, "or"));
}

}  // namespace

std::span<const Summary* const> summaries() {
#define ENTRY(name) &name,
  static constexpr const Summary* kSummaries[] = {
#include "report/summaries.def"
  };
#undef ENTRY
  return kSummaries;
}

const Summary& find_summary(std::string_view name) {
  std::vector<std::string> names;
  for (const auto* summary : summaries()) {
    if (summary->name == name) return *summary;
    names.emplace_back(summary->name);
  }
  throw request_error("there is no summary '{}'", name)
      .hint(did_you_mean(name, names))
      .hint("one of " + join_words(names, "or"));
}

SummaryForms table_forms(Sheet sheet, std::vector<Total> totals, const std::string& text) {
  nlohmann::json json{{"rows", sheet.json()}};
  for (const auto& total : totals) json[total.key] = cell_json(total.value);
  return {.text = sheet.text() + text, .json = json, .sheet = std::move(sheet), .totals = std::move(totals)};
}

std::string totals_text(const std::vector<Total>& totals) {
  std::string text;
  for (const auto& total : totals) text += total.label + ": " + cell_text(total.value, total.digits) + "\n";
  return text;
}

void require_data(const Summary& summary, bool given) {
  if (given && summary.data == SummaryData::unused)
    throw request_error("the {} summary does not look at data", summary.name).hint("leave --data out");
  if (!given && summary.data == SummaryData::required)
    throw request_error("the {} summary needs samples", summary.name).hint("add --data, as in --data cifar10:DIR");
}

void require_quantizers(bool found) {
  if (!found) throw request_error("the model has no simulated quantisers").hint("quantise it first: compress quantize");
}

void require_form(const Summary& summary, const std::filesystem::path& file) {
  require_ending("the " + std::string(summary.name) + " summary", summary.files, file);
  if (is_picture(ending_of(file))) require_graphviz(file);
}

void require_comparison_form(const std::filesystem::path& file) {
  require_ending("a comparison", {".txt", ".csv", ".json"}, file);
}

std::string json_text(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void write_summary(const SummaryForms& forms, const std::filesystem::path& file) {
  const auto ending = ending_of(file);
  write_file(file, is_picture(ending)                    ? draw(forms.dot, ending)
                   : ending == ".json"                   ? json_text(forms.json)
                   : ending == ".csv"                    ? forms.sheet.csv()
                   : ending == ".dot" || ending == ".gv" ? forms.dot
                                                         : forms.text);
}

}  // namespace compress::report
