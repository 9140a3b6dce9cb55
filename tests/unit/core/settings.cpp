#include "core/settings.h"

#include "support/captured_stderr.h"
#include "support/check_error.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace compress {

namespace {

enum class Group { filters, channels };

/// A component as they look everywhere.
struct Pruner {
  double final_sparsity = 0;
  double initial_sparsity = 0.05;
  int64_t frequency = 1;
  std::vector<std::string> weights;
  std::map<std::string, double> levels;
  std::optional<double> minimum;
  std::string note = "none";
  bool fold = false;
  Group group = Group::filters;
  Settings settings;

  Pruner() {
    settings.required("final_sparsity", final_sparsity, "sparsity to end with", half_open(0, 1));
    settings.required("weights", weights, "parameters to prune");
    settings.optional("initial_sparsity", initial_sparsity, "sparsity to start with", half_open(0, 1));
    settings.optional("frequency", frequency, "epochs between two steps", at_least(1));
    settings.optional("levels", levels, "sparsity per parameter", in(0, 1));
    settings.optional("minimum", minimum, "smallest weight kept", above(0));
    settings.optional("note", note, "for people");
    settings.optional("fold", fold, "fold batch-norm first");
    settings.choice("group_type", group,
                    {{"Filters", Group::filters}, {"3D", Group::filters}, {"Channels", Group::channels}},
                    "what is removed together");
    settings.ignored("mini_batch_pruning_frequency", "pruning happens at the end of an epoch");
  }
  Pruner(const Pruner&) = delete;
  Pruner& operator=(const Pruner&) = delete;

  void read(const std::string& text) { settings.read(parse_yaml(text, "f.yaml"), "AutomatedGradualPruner", {"class"}); }
};

/// The error of a good map with one more line.
std::string error_with(const std::string& line) {
  return test::error_text([&] { Pruner().read("final_sparsity: 0.5\nweights: [a]\n" + line); });
}

template <class T>
std::string conversion_error(const std::string& text, Range range = {}) {
  return test::error_text([&] { from_yaml<T>(parse_yaml(text, ""), "x", range); });
}

}  // namespace

TEST_CASE("settings: values arrive in the members, others keep their default", "[core]") {
  Pruner pruner;
  pruner.read("class: X\nfinal_sparsity: .9\nweights: [a, 3]\nlevels: {b: 1, a: 0.5}\nminimum: 1e-4\n"
              "note: 12\nfold: yes\ngroup_type: Channels\nfrequency: 1_000");
  REQUIRE(pruner.final_sparsity == 0.9);
  REQUIRE(pruner.initial_sparsity == 0.05);
  REQUIRE(pruner.weights == std::vector<std::string>{"a", "3"});
  REQUIRE(pruner.levels == std::map<std::string, double>{{"a", 0.5}, {"b", 1}});
  REQUIRE(pruner.minimum == 1e-4);
  REQUIRE(pruner.note == "12");
  REQUIRE(pruner.fold);
  REQUIRE(pruner.group == Group::channels);
  REQUIRE(pruner.frequency == 1000);
  pruner.read("{final_sparsity: 0.5, weights: [], minimum: ~, group_type: 3D}");
  REQUIRE_FALSE(pruner.minimum);
  REQUIRE(pruner.group == Group::filters);
}

TEST_CASE("settings: wrong types name what is expected and what stands there", "[core]") {
  REQUIRE_THAT(error_with("initial_sparsity: abc"),
               Catch::StartsWith("f.yaml:3:19: error: 'initial_sparsity' must be a number in [0, 1), not text 'abc'"));
  REQUIRE_THAT(error_with("initial_sparsity: '0.5'"), Catch::Contains("not text '0.5'\n  hint: remove the quotes"));
  REQUIRE_THAT(error_with("frequency: 1.5"), Catch::Contains("'frequency' must be an integer at least 1, not 1.5"));
  REQUIRE_THAT(error_with("fold: maybe"), Catch::Contains("'fold' must be true or false, not text 'maybe'"));
  REQUIRE_THAT(error_with("fold: 'yes'"), Catch::Contains("remove the quotes"));
  REQUIRE_THAT(error_with("note: [a]"), Catch::Contains("'note' must be text, not a list"));
  REQUIRE_THAT(error_with("note:"), Catch::Contains("f.yaml:3:1: error: 'note' must be text, not nothing"));
  REQUIRE_THAT(error_with("levels: [1]"), Catch::Contains("'levels' must be a map of numbers, not a list"));
  REQUIRE_THAT(error_with("levels: {a: 2}"), Catch::Contains("'levels.a' must be a number in [0, 1], not 2"));
  REQUIRE_THAT(error_with("minimum: 0"), Catch::Contains("'minimum' must be a number above 0, not 0"));
}

TEST_CASE("settings: values out of range name the range", "[core]") {
  REQUIRE_THAT(error_with("initial_sparsity: 1"), Catch::Contains("must be a number in [0, 1), not 1"));
  REQUIRE_THAT(error_with("initial_sparsity: .nan"), Catch::Contains("must be a number in [0, 1), not .nan"));
  REQUIRE_THAT(error_with("minimum: .inf"), Catch::Contains("must be a number above 0, not .inf"));
  REQUIRE_THAT(error_with("frequency: 0"), Catch::Contains("must be an integer at least 1, not 0"));
}

TEST_CASE("settings: a choice names the words", "[core]") {
  REQUIRE_THAT(
      error_with("group_type: chanels"),
      Catch::Contains(
          "'group_type' must be one of Filters, 3D or Channels, not text 'chanels'\n  hint: did you mean 'Channels'?"));
  REQUIRE_THAT(error_with("group_type: [3D]"), Catch::Contains("not a list"));
}

TEST_CASE("settings: an unknown key comes with the nearest or all known ones", "[core]") {
  REQUIRE_THAT(error_with("frequncy: 2"),
               Catch::Contains("f.yaml:3:1: error: unknown key 'frequncy' in AutomatedGradualPruner\n"
                               "  hint: did you mean 'frequency'?"));
  REQUIRE_THAT(error_with("zzz: 2"), Catch::Contains("hint: allowed: class, final_sparsity, weights, "));
}

TEST_CASE("settings: a missing argument is explained", "[core]") {
  const auto text = test::error_text([] { Pruner().read("a_key:\n  class: X\n"); });
  REQUIRE_THAT(text, Catch::Contains("f.yaml:1:1: error: missing 'final_sparsity' in AutomatedGradualPruner\n"
                                     "  hint: 'final_sparsity' is a number in [0, 1): sparsity to end with"));
  REQUIRE_THAT(text, Catch::Contains("hint: 'weights' is a list of text: parameters to prune"));
}

TEST_CASE("settings: all problems are reported together, in the order of the file", "[core]") {
  const auto text = test::error_text([] { Pruner().read("frequency: x\nunknown: 1\nweights: [a, [], {}]\n"); });
  REQUIRE(text.find("1:1: error: missing 'final_sparsity'") < text.find("1:12: error: 'frequency'"));
  REQUIRE(text.find("error: 'frequency'") < text.find("error: unknown key"));
  REQUIRE(text.find("error: unknown key") < text.find("'weights[1]' must be text, not a list"));
  REQUIRE(text.find("'weights[1]'") < text.find("'weights[2]' must be text, not a map"));
}

TEST_CASE("settings: arguments must be a map; nothing at all is an empty one", "[core]") {
  REQUIRE(test::error_text([] { Pruner().read("[1]"); }) ==
          "f.yaml:1:1: error: the arguments in AutomatedGradualPruner must be a map, not a list");
  Settings none;
  REQUIRE_NOTHROW(none.read(Yaml{}, "Thinner"));
}

TEST_CASE("settings: a key without effect is warned about", "[core]") {
  const auto text = test::captured_stderr(
      [] { Pruner().read("{mini_batch_pruning_frequency: 1, final_sparsity: 0.5, weights: [a]}"); });
  REQUIRE(text == "warning: f.yaml:1:2: 'mini_batch_pruning_frequency' in AutomatedGradualPruner has no effect: "
                  "pruning happens at the end of an epoch\n");
}

TEST_CASE("settings: what is printed reads back the same", "[core]") {
  Pruner pruner, copy;
  pruner.read("{final_sparsity: 0.8, weights: ['1', a.*], levels: {x: 1e-5}, group_type: 3D, note: 'on'}");
  const auto text = to_text(pruner.settings.print());
  REQUIRE(text ==
          "final_sparsity: 0.8\nweights: [\"1\", a.*]\ninitial_sparsity: 0.05\nfrequency: 1\nlevels:\n  x: 1e-05\n"
          "minimum: null\nnote: \"on\"\nfold: false\ngroup_type: Filters\n");
  copy.read(text);
  REQUIRE(to_text(copy.settings.print()) == text);
}

TEST_CASE("settings: fields describe themselves", "[core]") {
  const Pruner pruner;
  std::vector<std::string> types;
  for (const auto& field : pruner.settings.fields()) types.push_back(field.type);
  REQUIRE(types == std::vector<std::string>{"number", "list of text", "number", "integer", "map of numbers", "number",
                                            "text", "boolean", "one of Filters | 3D | Channels"});
  REQUIRE(pruner.settings.fields()[0].range == "in [0, 1)");
}

TEST_CASE("settings: the JSON schema holds types, ranges, defaults and words", "[core]") {
  const auto schema = Pruner().settings.schema();
  REQUIRE(schema["type"] == "object");
  REQUIRE(schema["additionalProperties"] == false);
  REQUIRE(schema["required"] == nlohmann::json{"final_sparsity", "weights"});
  const auto& properties = schema["properties"];
  REQUIRE(properties["final_sparsity"] ==
          nlohmann::json::parse(
              R"({"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "sparsity to end with"})"));
  REQUIRE(properties["frequency"]["default"] == 1);
  REQUIRE(properties["weights"]["items"]["type"] == "string");
  REQUIRE(properties["levels"]["additionalProperties"]["maximum"] == 1);
  REQUIRE(properties["minimum"]["anyOf"] ==
          nlohmann::json::parse(R"([{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}])"));
  REQUIRE(properties["minimum"]["default"].is_null());
  REQUIRE(properties["group_type"]["enum"] == nlohmann::json{"Filters", "3D", "Channels"});
  REQUIRE(properties["note"]["default"] == "none");
  REQUIRE(properties["fold"]["default"] == false);
  REQUIRE(properties.contains("mini_batch_pruning_frequency"));
}

TEST_CASE("range: says what is allowed", "[core]") {
  REQUIRE(Range{}.str().empty());
  REQUIRE(in(0, 1).str() == "in [0, 1]");
  REQUIRE(half_open(0, 1).str() == "in [0, 1)");
  REQUIRE(Range{.low = 0, .high = 1, .open_low = true}.str() == "in (0, 1]");
  REQUIRE(at_least(1).str() == "at least 1");
  REQUIRE(above(0).str() == "above 0");
  REQUIRE(Range{.high = 5}.str() == "at most 5");
  REQUIRE(Range{.high = 5, .open_high = true}.str() == "below 5");
  REQUIRE(half_open(0, 1).contains(0));
  REQUIRE_FALSE(half_open(0, 1).contains(1));
  REQUIRE_FALSE(above(0).contains(0));
}

TEST_CASE("from_yaml: converts what components take", "[core]") {
  const auto value = [](const std::string& text) { return parse_yaml(text, "f"); };
  REQUIRE(from_yaml<int>(value("-3"), "x") == -3);
  REQUIRE(from_yaml<std::vector<bool>>(value("[on, false]"), "x") == std::vector<bool>{true, false});
  REQUIRE(from_yaml<std::vector<std::vector<int64_t>>>(value("[[1, 2], []]"), "x") ==
          std::vector<std::vector<int64_t>>{{1, 2}, {}});
  REQUIRE(from_yaml<std::map<std::string, std::vector<std::string>>>(value("{a: [b]}"), "x").at("a").front() == "b");
  REQUIRE(from_yaml<std::map<std::string, Yaml>>(value("{a: {b: 1}}"), "x").at("a").is_map());
  REQUIRE_FALSE(from_yaml<std::optional<int64_t>>(value("~"), "x"));
  REQUIRE(from_yaml<std::optional<std::string>>(value("~x"), "x") == "~x");
}

TEST_CASE("from_yaml: numbers that do not fit are refused", "[core]") {
  REQUIRE_THAT(conversion_error<int>("3000000000"),
               Catch::Contains("an integer in [-2147483648, 2147483647], not 3000000000"));
  REQUIRE_THAT(conversion_error<int64_t>("9223372036854775808"), Catch::Contains("'x' must be an integer"));
  REQUIRE_THAT(conversion_error<double>("1e999"), Catch::Contains("'x' must be a number, not 1e999"));
  REQUIRE_THAT(conversion_error<double>("-.inf"), Catch::Contains("'x' must be a number, not -.inf"));
}

TEST_CASE("from_yaml: one thing where a list is expected", "[core]") {
  REQUIRE_THAT(
      conversion_error<std::vector<std::string>>("conv1"),
      Catch::Contains("'x' must be a list of text, not text 'conv1'\n  hint: a list of one is written [conv1]"));
  REQUIRE_THAT(conversion_error<std::vector<std::vector<int64_t>>>("[3]"),
               Catch::Contains("'x[0]' must be a list of integers, not 3"));
  REQUIRE_THAT(conversion_error<std::string>(""), Catch::Contains("must be text, not nothing"));
}

}  // namespace compress
