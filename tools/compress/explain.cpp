// compress explain CLASS: the arguments of a component, from its one declaration.
#include "catalogue.h"
#include "command.h"
#include "core/text.h"

namespace compress::tools {

namespace {

std::string value_text(const Yaml& value) {
  auto text = to_text(value);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.find('\n') == std::string::npos ? text : "...";
}

void show(const CatalogueKind& kind, const CatalogueEntry& entry, const Settings& settings) {
  Table table({"Argument", "Type", "Range", "Default", "Meaning"});
  auto arguments = nlohmann::json::array();
  for (const auto& field : settings.fields()) {
    const auto fallback = field.required ? std::string("(required)") : value_text(field.print());
    table.row({field.name, field.type, field.range, fallback, field.doc});
    arguments.push_back({{"name", field.name},
                         {"type", field.type},
                         {"range", field.range},
                         {"required", field.required},
                         {"default", fallback},
                         {"description", field.doc}});
  }
  const nlohmann::json object{{"class", entry.name},
                              {"kind", kind.name},
                              {"description", entry.doc},
                              {"arguments", arguments},
                              {"schema", settings.schema()}};
  print(object, fmt::format("{} ({}): {}\n\n{}", entry.name, kind.name, entry.doc,
                            settings.fields().empty() ? "no arguments\n" : table.str()));
}

void explain(const std::string& name) {
  std::vector<std::string> names;
  std::string listed;
  for (const auto& kind : catalogue()) {
    if (kind.name == name) listed = fmt::format("'compress list {}' shows what there is of them", name);
    for (const auto& entry : kind.entries()) {
      names.push_back(entry.name);
      if (entry.name != name) continue;
      if (entry.arguments) return entry.arguments([&](const Settings& settings) { show(kind, entry, settings); });
      return show(kind, entry, Settings());
    }
  }
  throw request_error("nothing is called '{}'", name)
      .hint(did_you_mean(name, names))
      .hint(listed.empty() ? "see 'compress list --help'" : listed);
}

std::function<void()> add(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("class", *name, "class of a component, a model, a data set or an operator")->required();
  return [name] { explain(*name); };
}

}  // namespace

extern const Command explain_command;
const Command explain_command{"explain", "describe a component and its arguments",
                              "compress explain AutomatedGradualPruner", add};

}  // namespace compress::tools
