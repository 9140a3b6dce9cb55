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

void require_form(const Summary& summary, const std::filesystem::path& file) {
  const auto ending = ending_of(file);
  if (std::ranges::find(summary.files, ending) == summary.files.end()) {
    const std::vector<std::string> allowed(summary.files.begin(), summary.files.end());
    throw request_error("the {} summary cannot be written to '{}'", summary.name, file.string())
        .hint("the file's name ends with " + join_words(allowed, "or"));
  }
  if (is_picture(ending)) require_graphviz(file);
}

void write_summary(const SummaryForms& forms, const std::filesystem::path& file) {
  const auto ending = ending_of(file);
  write_file(file, is_picture(ending)                    ? draw(forms.dot, ending)
                   : ending == ".json"                   ? forms.json.dump(2) + "\n"
                   : ending == ".csv"                    ? forms.csv
                   : ending == ".dot" || ending == ".gv" ? forms.dot
                                                         : forms.text);
}

}  // namespace compress::report
