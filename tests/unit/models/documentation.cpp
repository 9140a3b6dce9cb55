// The table of networks in docs/models.md.
#include "analysis/cost.h"
#include "core/file.h"
#include "core/settings.h"
#include "core/text.h"
#include "zoo.h"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>

namespace compress {

namespace {

constexpr const char* kPath = "docs/models.md";
constexpr std::string_view kBegin = "<!-- written by tests/unit/models/documentation.cpp; COMPRESS_ACCEPT=1 meson test "
                                    "-C build models rewrites it -->\n";
constexpr std::string_view kEnd = "<!-- end -->\n";

std::string arguments_of(const Entry<models::Model>& entry) {
  const auto model = entry.make();
  Settings settings;
  model->declare(settings);
  std::vector<std::string> names;
  for (const auto& field : settings.fields())
    names.push_back(fmt::format("`{}={}`", field.name, trim(to_text(field.print()))));
  return join(names, " ");
}

std::string zoo_table() {
  std::string text = "| name | input | parameters | weights | MACs | arguments |\n|---|---|---:|---:|---:|---|\n";
  for (const auto* entry : models::zoo().entries()) {
    const auto graph = models::build_model(entry->name, std::nullopt);
    const auto cost = analysis::cost(graph);
    const auto& image = graph.inputs[0].shape;
    text += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", entry->name, shape_text(std::span(image).subspan(1)),
                        with_commas(cost.parameters), with_commas(cost.weights), with_commas(cost.macs),
                        arguments_of(*entry));
  }
  return text;
}

}  // namespace

TEST_CASE("docs/models.md lists the zoo as it is", "[models]") {
  const auto document = read_file(kPath);
  const auto begin = document.find(kBegin), end = document.find(kEnd);
  REQUIRE((begin != std::string::npos && end != std::string::npos && begin < end));
  const auto expected = document.substr(0, begin + kBegin.size()) + "\n" + zoo_table() + "\n" + document.substr(end);
  if (const char* accept = std::getenv("COMPRESS_ACCEPT"); accept && *accept == '1') std::ofstream(kPath) << expected;
  INFO("run the test with COMPRESS_ACCEPT=1 to rewrite the table in docs/models.md");
  REQUIRE(read_file(kPath) == expected);
}

}  // namespace compress
