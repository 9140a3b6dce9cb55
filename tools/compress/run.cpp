// compress run RECIPE: train, compress, evaluate, export, check.
#include "run/run.h"

#include "command.h"
#include "data_flags.h"
#include "outcome.h"
#include "run/model.h"
#include "zoo.h"

#include <filesystem>

namespace compress::tools {

namespace {

struct Flags {
  std::string recipe, model, weights, data, out, resume;
  std::vector<std::string> overrides;
  int64_t num_best_scores = 0;
  bool dry_run = false, reset_optimizer = false;
  std::string command;
};

/// --model and --data say the same as --set model..., data...; they come first, so that --set can refine them.
std::vector<std::string> overrides(const Flags& flags) {
  std::vector<std::string> all;
  if (!flags.model.empty()) all.push_back("model=" + run::model_section(flags.model));
  const auto data = data_overrides(flags.data);
  all.insert(all.end(), data.begin(), data.end());
  if (!flags.weights.empty()) all.push_back("model.weights=" + to_text(Yaml::scalar(flags.weights, true)));
  if (flags.num_best_scores > 0) all.push_back(fmt::format("training.num_best_scores={}", flags.num_best_scores));
  all.insert(all.end(), flags.overrides.begin(), flags.overrides.end());
  return all;
}

schedule::Recipe read_recipe(const Flags& flags) {
  if (flags.resume.empty()) {
    if (flags.reset_optimizer)
      throw request_error("--reset-optimizer needs --resume: a new run's optimiser has no state yet")
          .hint("--weights RUN starts a new run with the weights of another");
    if (flags.recipe.empty())
      throw request_error("no recipe is given").hint("compress run RECIPE, or compress run --resume RUN");
    return schedule::Recipe::read(flags.recipe, overrides(flags));
  }
  if (!flags.out.empty()) throw request_error("a resumed run stays in its folder: --out cannot change it");
  if (!overrides(flags).empty())
    throw request_error(
        "a resumed run keeps its recipe: --set, --model, --weights, --data and --num-best-scores cannot change it");
  const auto saved = std::filesystem::path(flags.resume) / "recipe.yaml";
  if (!std::filesystem::exists(saved))
    throw request_error("'{}' is no run directory: it has no recipe.yaml", flags.resume);
  auto recipe = schedule::Recipe::read(saved);
  if (!flags.recipe.empty() && schedule::Recipe::read(flags.recipe).hash() != recipe.hash())
    throw request_error("the run '{}' was started with another recipe than '{}'", flags.resume, flags.recipe)
        .hint("leave the recipe out to go on with the run's own");
  return recipe;
}

void run(const Flags& flags) {
  const auto recipe = read_recipe(flags);
  const auto open = [&](const std::string& spec) {
    return models::open_model(spec, static_cast<uint64_t>(recipe.training.seed));
  };
  if (flags.dry_run) {
    const auto text = run::describe(recipe, open);
    return print({{"recipe", recipe.name}, {"timeline", text}}, text);
  }
  const auto outcome = run::run_recipe(recipe, {.out = flags.resume.empty() ? flags.out : flags.resume,
                                                .resume = !flags.resume.empty(),
                                                .reset_optimizer = flags.reset_optimizer,
                                                .command = flags.command,
                                                .open_model = open});
  report(outcome);
}

std::function<void()> add(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  app.add_option("recipe", flags->recipe, "YAML recipe");
  app.add_option("--model", flags->model, kModelHelp);
  app.add_option("--weights", flags->weights,
                 "start with the weights of a safetensors or ONNX file or a run directory, and nothing else of it");
  app.add_option("--data", flags->data, kDataHelp);
  app.add_option("--out", flags->out, "run directory (default: runs/NAME/TIMESTAMP)");
  app.add_option("--set", flags->overrides, "override a value of the recipe: --set training.epochs=3")
      ->allow_extra_args(false);
  app.add_option("--num-best-scores", flags->num_best_scores, "report so many of the best epochs (default: 1)")
      ->check(CLI::Range(1, 1000));
  app.add_option("--resume", flags->resume, "run directory to go on with");
  app.add_flag("--reset-optimizer", flags->reset_optimizer,
               "with --resume: forget the optimiser's state (momentum); epoch, masks and weights stay");
  app.add_flag("--dry-run", flags->dry_run,
               "bind all names and print the timeline; no data is read, nothing is written");
  return [flags] {
    flags->command = "compress run" + (flags->recipe.empty() ? "" : " " + flags->recipe);
    if (!flags->model.empty()) flags->command += " --model " + flags->model;
    if (!flags->data.empty()) flags->command += " --data " + flags->data;
    if (!flags->weights.empty()) flags->command += " --weights " + flags->weights;
    for (const auto& assignment : flags->overrides) flags->command += " --set " + assignment;
    run(*flags);
  };
}

}  // namespace

extern const Command run_command;
const Command run_command{"run", "run a recipe: train, compress, evaluate, export, check",
                          "compress run schedules/lenet5_fashion_mnist.yaml --set data.batch_size=64 --out runs/lenet5",
                          add};

}  // namespace compress::tools
