// compress check RECIPE: finds what is wrong without reading data or training.
#include "command.h"
#include "data_flags.h"
#include "run/model.h"
#include "run/run.h"
#include "zoo.h"

namespace compress::tools {

namespace {

struct Flags {
  std::string recipe, model, data;
  std::vector<std::string> overrides;
};

void check(const Flags& flags) {
  auto assignments = data_overrides(flags.data);
  assignments.insert(assignments.end(), flags.overrides.begin(), flags.overrides.end());
  if (!flags.model.empty()) assignments.insert(assignments.begin(), "model=" + run::model_section(flags.model));
  const auto recipe = schedule::Recipe::read(flags.recipe, assignments);
  const auto text = run::describe(recipe, [&](const std::string& spec) {
    return models::open_model(spec, static_cast<uint64_t>(recipe.training.seed));
  });
  const std::string bound = recipe.has_model() ? "all names bound to " + recipe.model.spec()
                                               : "names not bound: the recipe names no model (give --model)";
  print({{"recipe", recipe.name}, {"ok", true}, {"bound", recipe.has_model()}, {"timeline", text}},
        fmt::format("{}\n{}: ok, {}\n", text, flags.recipe, bound));
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("recipe", flags->recipe, "YAML recipe")->required();
  app.add_option("--model", flags->model, kModelHelp);
  app.add_option("--data", flags->data, kDataHelp);
  app.add_option("--set", flags->overrides, "override a value of the recipe")->allow_extra_args(false);
  return [flags] { check(*flags); };
}

}  // namespace

extern const Command check_command;
const Command check_command{"check", "find every problem of a recipe; no data is read, nothing is trained",
                            "compress check schedules/lenet5_fashion_mnist.yaml", add};

}  // namespace compress::tools
