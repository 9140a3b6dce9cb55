// Distiller's own tests of how policies are scheduled (tests/golden/distiller_pruning.json).
#include "core/file.h"
#include "support/check_error.h"
#include "unit/schedule/support.h"

#include <nlohmann/json.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

/// The keys of a policy as the golden call has them.
std::string policy_of(const nlohmann::json& call) {
  std::string keys;
  for (const auto& [key, value] : call.items())
    if (!value.is_null()) keys += ", " + key + ": " + value.dump();
  return "pruners: {p: {class: AutomatedGradualPruner, initial_sparsity: 0, final_sparsity: 0.5, weights: [a]}}\n"
         "policies: [{pruner: {instance_name: p}" +
         keys + "}]";
}

}  // namespace

TEST_CASE("golden: windows of a policy", "[schedule][golden]") {
  const auto golden = nlohmann::json::parse(read_file("tests/golden/distiller_pruning.json"));
  int windows = 0, refused = 0;
  for (const auto& entry : golden.at("policy_scheduling")) {
    INFO(entry.at("name"));
    const auto& call = entry.at("call");
    if (entry.contains("expected")) {
      const auto text = compress::test::error_text([&] { recipe_of(policy_of(call)); });
      REQUIRE_THAT(text, Catch::Contains("needs epochs") || Catch::Contains("exclude each other"));
      ++refused;
      continue;
    }
    const auto& expected = entry.at("expected_metadata");
    const auto window = call.contains("epochs") && !call.at("epochs").is_null()
                            ? Window::list(call.at("epochs").get<std::vector<int64_t>>())
                            : Window::range(call.at("starting_epoch"), call.at("ending_epoch"), call.at("frequency"));
    REQUIRE(window.epochs == entry.at("active_epochs").get<std::vector<int64_t>>());
    REQUIRE(window.first_epoch() == expected.at("starting_epoch"));
    REQUIRE(window.ending_epoch == expected.at("ending_epoch"));
    ++windows;
  }
  REQUIRE(windows == 3);
  REQUIRE(refused == 2);
}
