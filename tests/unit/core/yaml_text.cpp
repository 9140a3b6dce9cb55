#include "core/yaml.h"
#include "core/yaml_scalar.h"

#include <catch2/catch.hpp>

namespace compress {

namespace {

void require_same(const Yaml& a, const Yaml& b) {
  REQUIRE(a.kind == b.kind);
  REQUIRE(a.text == b.text);
  REQUIRE(a.keys == b.keys);
  REQUIRE(a.items.size() == b.items.size());
  // Quotes may go where they change nothing.
  if (a.is_scalar() && !is_yaml_string(a.text)) REQUIRE(a.quoted == b.quoted);
  for (size_t i = 0; i < a.items.size(); ++i) require_same(a.items[i], b.items[i]);
}

}  // namespace

TEST_CASE("to_text: short lists stand on one line, maps do not", "[core]") {
  const std::string text = "name: x\n"
                           "pruners:\n"
                           "  fc:\n"
                           "    weights: [fc1.weight, \"*.bias\"]\n"
                           "    levels: [[1, 2], [3, 4]]\n"
                           "    empty: []\n"
                           "    none: null\n"
                           "policies:\n"
                           "  - epochs: [0, 1]\n"
                           "    args: {}\n"
                           "  - inner:\n"
                           "      - a: 1\n"
                           "        b: 2\n"
                           "      - c: 3\n"
                           "  -\n"
                           "    - d: 4\n"
                           "  - text\n";
  REQUIRE(to_text(parse_yaml(text, "f")) == text);
}

TEST_CASE("to_text: long lists break, one item a line", "[core]") {
  auto list = Yaml::sequence();
  for (int i = 0; i < 20; ++i) list.items.push_back(Yaml::scalar("a_long_name"));
  auto map = Yaml::map();
  map.set("names", list);
  REQUIRE(to_text(map).starts_with("names:\n  - a_long_name\n  - a_long_name\n"));
}

TEST_CASE("to_text: text that could be read otherwise is quoted, numbers are not", "[core]") {
  REQUIRE(to_text(Yaml::scalar("0.5")) == "0.5\n");
  REQUIRE(to_text(Yaml::scalar("-1e-4")) == "-1e-4\n");
  REQUIRE(to_text(Yaml::scalar("3", true)) == "\"3\"\n");
  REQUIRE(to_text(Yaml::scalar("true", true)) == "\"true\"\n");
  REQUIRE(to_text(Yaml::scalar("null")) == "\"null\"\n");
  REQUIRE(to_text(Yaml::scalar("")) == "\"\"\n");
  REQUIRE(to_text(Yaml::scalar("conv1.weight", true)) == "conv1.weight\n");
}

TEST_CASE("to_text: every awkward text survives as value and as key", "[core]") {
  const std::vector<std::string> awkward = {
      "",        " ",          "a: b",  "a #b", "- a",   "a:",   "[a]",   "{a}",
      "*a",      "&a",         "!a",    "%a",   "@a",    "`a",   "'a'",   "\"a\"",
      "a\nb",    "\ta",        "a\\nb", "---",  "--- a", "...",  "?",     "? a",
      "<<",      "=",          "~",     "NULL", "Yes",   "0x1f", "1_000", ".5",
      "\x1b[0m", "größe",      "a, b",  "-",    "-a",    "|",    "> a",   "a\r\nb",
      "12:30",   "2020-01-01", ".inf",  " a",   "a ",    "a:b",  "a::b",  "http://x?y=z#f",
      "C:\\dir"};
  for (const auto& text : awkward) {
    INFO("text: '" << text << "'");
    auto map = Yaml::map();
    map.set(text, Yaml::sequence({Yaml::scalar(text, true), Yaml::map()}));
    map.set("nested", Yaml::sequence({map}));
    require_same(parse_yaml(to_text(map), "f"), map);
    require_same(parse_yaml(to_text(Yaml::scalar(text, true)), "f"), Yaml::scalar(text, true));
  }
}

}  // namespace compress
