#include "core/file.h"
#include "core/random.h"
#include "core/yaml.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"

#include <catch2/catch.hpp>

namespace compress {

namespace {

const std::string kRecipe = R"(# a schedule as Distiller writes it
version: 1
training: {epochs: 10, seed: 1}
defaults: &agp
  class: AutomatedGradualPruner
  initial_sparsity: 0.05
pruners:
  fc_pruner:
    <<: *agp
    final_sparsity: 0.70
    weights: [module.fc1.weight, 'fc2.weight', "fc3.weight"]
policies:
  - pruner:
      instance_name: 'fc_pruner'
    starting_epoch: 0
    ending_epoch: 30
    frequency: 2
  - lr_scheduler: {instance_name: lr}
    epochs: [1, 2,
             3]
note: |
  two
  lines
empty:
)";

Yaml parse(const std::string& text) {
  return parse_yaml(text, "f.yaml");
}

void require_refused(const std::string& text, const std::string& message, const std::string& more = "") {
  INFO(text);
  test::require_error([&] { parse(text); }, message, more);
}

}  // namespace

TEST_CASE("parse_yaml: maps, lists, quotes, blocks and their places", "[core]") {
  const auto recipe = parse(kRecipe);
  REQUIRE(recipe.find("training")->find("epochs")->place == Place{"f.yaml", 3, 20});
  const auto& weights = *recipe.find("pruners")->find("fc_pruner")->find("weights");
  REQUIRE(weights.items.size() == 3);
  REQUIRE(weights.items[0].text == "module.fc1.weight");
  REQUIRE_FALSE(weights.items[0].quoted);
  REQUIRE(weights.items[1].quoted);
  REQUIRE(weights.items[2].text == "fc3.weight");
  REQUIRE(recipe.find("note")->text == "two\nlines\n");
  REQUIRE(recipe.find("empty")->is_null());
  REQUIRE(recipe.find("empty")->place == Place{"f.yaml", 24, 1});
  REQUIRE(recipe.find("policies")->items[1].find("epochs")->items[2].place == Place{"f.yaml", 20, 14});
}

TEST_CASE("parse_yaml: merge keys fill in what a map does not have", "[core]") {
  const auto pruner = *parse(kRecipe).find("pruners")->find("fc_pruner");
  REQUIRE(pruner.find("class")->text == "AutomatedGradualPruner");
  REQUIRE(pruner.find("<<") == nullptr);
  const auto several = parse("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 0}");
  REQUIRE(to_text(*several.find("c")) == "x: 0\ny: 1\nz: 2\n");
  REQUIRE(parse("{'<<': 1}").find("<<")->text == "1");
  require_refused("a: {<<: 3}", "f.yaml:1:5: error: '<<' must be a map or a list of maps, not text");
}

TEST_CASE("parse_yaml: an empty text is nothing", "[core]") {
  for (const auto* text : {"", "\n", "# only a comment\n", "---\n", "~"}) REQUIRE(parse(text).is_null());
}

TEST_CASE("parse_yaml: nulls have several spellings, quoted ones are text", "[core]") {
  const auto list = parse("[~, null, '', 'null']");
  REQUIRE(list.items[0].is_null());
  REQUIRE(list.items[1].is_null());
  REQUIRE(list.items[2].is_scalar());
  REQUIRE(list.items[3].is_scalar());
}

TEST_CASE("parse_yaml: a key that stands twice is an error with both places", "[core]") {
  require_refused("a: 1\nb: 2\na: 3", "f.yaml:3:1: error: the key 'a' stands twice in one map (first at f.yaml:1:1)");
  require_refused("a: 1\n'a': 3", "the key 'a' stands twice");
  REQUIRE_NOTHROW(parse("x: {a: 1}\ny: {a: 1}"));
}

TEST_CASE("parse_yaml: keys are text", "[core]") {
  require_refused("? [a, b]\n: 1", "f.yaml:1:3: error: a key must be text, not a list");
  require_refused("~: 1", "a key must be text, not nothing");
  REQUIRE(parse("3: x").find("3")->text == "x");
}

TEST_CASE("parse_yaml: tags are refused", "[core]") {
  require_refused("a: !!python/object:os.system 1",
                  "f.yaml:1:4: error: the tag 'tag:yaml.org,2002:python/object:os.system' is not", "plain data");
  require_refused("a: !x {b: 1}", "the tag '!x' is not supported");
  require_refused("a: !x [b]", "the tag '!x' is not supported");
}

TEST_CASE("parse_yaml: an alias bomb is defused", "[core]") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j > 0 ? ", " : "", i - 1);
    bomb += "]\n";
  }
  require_refused(bomb, "aliases expand to more than 100,000 values", "f.yaml:");
}

TEST_CASE("parse_yaml: a value that contains itself is refused", "[core]") {
  require_refused("a: &x [1, *x]", "f.yaml:1:11: error: the alias stands inside the value that it repeats");
  require_refused("a: *x", "f.yaml:1:4: error: not valid YAML: the referenced anchor is not defined");
}

TEST_CASE("parse_yaml: deep nesting is an error, not a crash", "[core]") {
  require_refused(std::string(100'000, '['), "more than 100 lists or maps inside each other");
  require_refused("{a: " + std::string(5'000, '{'), "f.yaml:1:");
  std::string dashes;
  for (int i = 0; i < 200; ++i) dashes += "- ";
  require_refused(dashes + "x", "more than 100 lists or maps inside each other");
  const auto nested = [](int n) { return std::string(n, '[') + "x" + std::string(n, ']'); };
  REQUIRE_NOTHROW(parse(nested(100)));
  require_refused("a: &a " + nested(60) + "\nb: " + std::string(60, '[') + "*a" + std::string(60, ']'),
                  "more than 100 lists");
}

TEST_CASE("parse_yaml: broken text is an error with its place and advice", "[core]") {
  require_refused("a: 1\nb: [1, 2\nc: 3", "error: not valid YAML: ", "f.yaml:");
  require_refused("a:\n\tb: 1", "f.yaml:2:3: error: not valid YAML: ", "indent with spaces");
  require_refused("a: \tb\n\tc: d", "f.yaml:2:1: error: not valid YAML: illegal tab", "indent with spaces");
  require_refused("a: b: c", "f.yaml:1:5: error: not valid YAML: illegal map value", "needs quotes");
  require_refused("a: @b", "f.yaml:1:4: error: not valid YAML: unknown token", "needs quotes");
  require_refused("a: \"x", "not valid YAML");
}

TEST_CASE("parse_yaml: one document only, and no binary file", "[core]") {
  require_refused("--- 1\n--- 2", "f.yaml:2:1: error: more than one YAML document", "remove the line '---'");
  require_refused(std::string("a: \0", 4), "f.yaml: error: this is not a text file");
}

TEST_CASE("read_yaml: names the file", "[core]") {
  const test::TemporaryFolder folder;
  write_file(folder / "a.yaml", "a: [");
  test::require_error([&] { read_yaml(folder / "a.yaml"); }, (folder / "a.yaml").string() + ":1:");
  test::require_error([&] { read_yaml(folder / "b.yaml"); }, "b.yaml': No such file or directory");
}

TEST_CASE("parse_yaml: damaged text gives errors only, and what parses prints and parses back", "[core]") {
  constexpr int kMutations = 2000;
  const std::string special = "[]{}:,-?&*!|>'\"%@`# \t\n~<.\\\x1b\xc3\xff";
  for (int i = 0; i < kMutations; ++i) {
    Random random(1, "damage", {static_cast<uint64_t>(i)});
    auto text = kRecipe;
    for (auto edits = random.below(6) + 1; edits > 0; --edits) {
      const auto at = static_cast<size_t>(random.below(std::ssize(text)));
      const char c = special[static_cast<size_t>(random.below(std::ssize(special)))];
      const auto kind = random.below(4);
      if (kind == 0) text[at] = c;
      if (kind == 1) text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
      if (kind == 2) text.erase(at, 1 + static_cast<size_t>(random.below(8)));
      if (kind == 3) text.insert(at, text.substr(static_cast<size_t>(random.below(std::ssize(text))), 20));
    }
    INFO("mutation " << i << ":\n" << text);
    Yaml value;
    try {
      value = parse(text);
    } catch (const Error& error) {
      REQUIRE(error.fault() == Fault::request);
      continue;
    }
    const auto printed = to_text(value);
    INFO("printed:\n" << printed);
    REQUIRE(to_text(parse(printed)) == printed);
  }
}

}  // namespace compress
