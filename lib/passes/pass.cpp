#include "passes/pass.h"

#include "core/log.h"
#include "core/text.h"
#include "ops/op.h"

#include <algorithm>
#include <chrono>

namespace compress::passes {

#define ENTRY(name) extern const Entry<Pass> name;
#include "passes/passes.def"
#undef ENTRY

namespace {

#define ENTRY(name) &name,
constexpr const Entry<Pass>* kPasses[] = {
#include "passes/passes.def"
};
#undef ENTRY

void require_step(const std::vector<Step>& steps, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& step : steps) names.push_back(step.name);
  if (std::ranges::find(names, name) == names.end())
    throw request_error("no pass '{}' is to be run; the passes are {}", name, join_words(names))
        .hint(did_you_mean(name, names));
}

std::string summary(const Changes& changes) {
  if (changes.empty()) return "nothing to do";
  return fmt::format("{} nodes changed, {} parameters sliced, {} added, {} removed", changes.nodes_changed,
                     changes.sliced.size(), changes.added.size(), changes.removed.size());
}

}  // namespace

const Registry<Pass>& passes() {
  static constexpr Registry<Pass> registry("pass", kPasses);
  return registry;
}

Changes run(Pass& pass, std::string_view name, Graph& graph) {
  const auto start = std::chrono::steady_clock::now();
  Changes changes = within(fmt::format("running pass '{}'", name), [&] { return pass.run(graph); });
  within(fmt::format("checking what pass '{}' left", name), [&] { ops::verify(graph); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  log::info("[{}] {} ({:.2f} s)", name, summary(changes), seconds.count());
  return changes;
}

std::vector<Step> make_steps(const std::vector<std::string>& names) {
  std::vector<Step> steps;
  for (const auto& name : names) steps.push_back({name, passes().make(name)});
  return steps;
}

Changes run_all(const std::vector<Step>& steps, Graph& graph, const RunOptions& options) {
  for (const auto& name : options.skip) require_step(steps, name);
  if (!options.stop_before.empty()) require_step(steps, options.stop_before);
  Changes changes;
  for (const auto& [name, pass] : steps) {
    if (name == options.stop_before) break;
    if (std::ranges::find(options.skip, name) == options.skip.end()) changes.append(run(*pass, name, graph));
  }
  return changes;
}

}  // namespace compress::passes
