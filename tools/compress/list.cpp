// compress list KIND: what there is to name in a recipe.
#include "catalogue.h"
#include "command.h"
#include "core/text.h"

namespace compress::tools {

namespace {

void list(const std::string& word) {
  std::vector<std::string> names;
  for (const auto& kind : catalogue()) names.push_back(kind.name);
  for (const auto& kind : catalogue()) {
    if (kind.name != word) continue;
    Table table({"Name", "Description"});
    auto rows = nlohmann::json::array();
    for (const auto& entry : kind.entries()) {
      table.row({entry.name, entry.doc});
      rows.push_back({{"name", entry.name}, {"description", entry.doc}});
    }
    print(nlohmann::json{{kind.name, rows}}, table.str());
    return;
  }
  auto error = request_error("there are no '{}' to list", word);
  error.hint(did_you_mean(word, names));
  error.hint("one of " + join_words(names, "or"));
  throw error;
}

std::function<void()> add(CLI::App& app) {
  auto word = std::make_shared<std::string>();
  std::string kinds;
  for (const auto& kind : catalogue()) kinds += (kinds.empty() ? "" : ", ") + kind.name;
  app.add_option("kind", *word, kinds)->required();
  return [word] { list(*word); };
}

}  // namespace

extern const Command list_command;
const Command list_command{"list", "list models, data sets, operators, pruners, quantizers, ...",
                           "compress list pruners", add};

}  // namespace compress::tools
