// Training that stops after an epoch and goes on elsewhere ends with the same bits, whatever the policies keep.
#include "unit/schedule/resume.h"

#include "train/lr_scheduler.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

/// A recipe in which everything keeps something, with this optimiser, these settings of training and this schedule.
std::string recipe_with(const std::string& optimizer, const std::string& training, const std::string& lr_scheduler) {
  return "training: {epochs: 4, optimizer: " + optimizer + (training.empty() ? "" : ", " + training) +
         "}\nlr_schedulers:\n  rates: " + lr_scheduler + R"(
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 96, validation: 32}, prefetch: 0}
pruners:
  filters: {class: L1RankedStructureParameterPruner_AGP, group_type: Filters, initial_sparsity: 0.2, final_sparsity: 0.5, weights: [conv1.weight, conv2.weight],
            group_dependency: Leader, noise: 0.5}
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.5, weights: [fc.weight]}
regularizers:
  l1: {class: L1Regularizer, reg_regims: {'conv*.weight': 0.001}}
passes:
  remove: {class: thin}
distillers:
  teacher: {class: KnowledgeDistillation, teacher: self, teacher_epoch: 0}
policies:
  - {distiller: {instance_name: teacher}, starting_epoch: 1, ending_epoch: 4}
  - {pruner: {instance_name: filters}, starting_epoch: 0, ending_epoch: 3}
  - {pruner: {instance_name: fine, args: {use_double_copies: true, mask_on_forward_only: true, keep_mask: true}}, starting_epoch: 0, ending_epoch: 3}
  - {pass: {instance_name: remove}, epochs: [2]}
  - {regularizer: {instance_name: l1}, starting_epoch: 1, ending_epoch: 4}
  - {lr_scheduler: {instance_name: rates}, starting_epoch: 0, ending_epoch: 4}
)";
}

const std::string kSgd = "{class: SGD, lr: 0.01, momentum: 0.9}", kSteps = "{class: StepLR, step_size: 1, gamma: 0.8}";

Graph require_exact_small_resume(const std::string& recipe) {
  return require_exact_resume(recipe, small_network);
}

/// "{class: NAME, ...}" with a value for each argument that must be given.
template <class T>
std::string with_required_arguments(const Entry<T>& entry) {
  const auto component = entry.make();
  Settings settings;
  component->declare(settings);
  std::string text = "{class: " + std::string(entry.name);
  const std::map<std::string, std::string> values{
      {"number", "0.5"}, {"integer", "2"}, {"list of numbers", "[0.5]"}, {"list of integers", "[2]"}};
  for (const auto& field : settings.fields())
    if (field.required) text += ", " + field.name + ": " + values.at(field.type);
  return text;
}

}  // namespace

TEST_CASE("resume: training that goes on from a checkpoint ends with the same bits", "[schedule]") {
  const auto whole = require_exact_small_resume(recipe_with(kSgd, "", kSteps));
  REQUIRE(whole.parameter("conv1.weight").value.size(0) < 8);
  REQUIRE(whole.parameter("fc.weight").mask.defined());
}

TEST_CASE("resume: with every optimiser", "[schedule]") {
  for (const auto* entry : train::optimizers().entries())
    require_exact_small_resume(recipe_with(with_required_arguments(*entry) + ", lr: 0.002}", "", kSteps));
}

TEST_CASE("resume: with every learning-rate schedule, in epochs and in steps", "[schedule]") {
  for (const auto* entry : train::lr_schedulers().entries()) {
    const auto schedule = with_required_arguments(*entry);
    require_exact_small_resume(recipe_with(kSgd, "", schedule + "}"));
    if (!entry->make()->follows_metric())
      require_exact_small_resume(recipe_with("{class: RMSprop, lr: 0.001}", "", schedule + ", interval: batch}"));
  }
  require_exact_small_resume(
      recipe_with(kSgd, "", "{class: ReduceLROnPlateau, patience: 0, threshold: 0.9, factor: 0.5}"));
  require_exact_small_resume(recipe_with(kSgd, "", "{class: ExponentialLR, gamma: 0.9, warmup: {epochs: 3}}"));
}

TEST_CASE("resume: with averages, accumulation, clipping, frozen weights and bfloat16, alone and together",
          "[schedule]") {
  const std::string settings[] = {"ema: {decay: 0.9}", "accumulate: 2",          "clip_norm: 0.1",
                                  "clip_value: 0.01",  "freeze: [conv2.weight]", "precision: bfloat16"};
  std::string all;
  for (const auto& setting : settings) {
    require_exact_small_resume(recipe_with(kSgd, setting, kSteps));
    if (setting != "clip_value: 0.01") all += (all.empty() ? "" : ", ") + setting;
  }
  require_exact_small_resume(recipe_with(
      "{class: AdamW, lr: 0.002}", all, "{class: OneCycleLR, max_lr: 0.01, interval: batch, warmup: {iterations: 3}}"));
}

TEST_CASE("resume: with every distiller, and a rewind behind thinning", "[schedule]") {
  auto recipe = recipe_with(kSgd, "", kSteps);
  const auto insert = [&](const std::string& behind, const std::string& text) {
    recipe.insert(recipe.find(behind) + behind.size(), text);
  };
  insert("distillers:\n",
         R"(  hints: {class: HintDistillation, teacher: self, values: {relu1: relu1}, projection: always}
  plain: {class: HintDistillation, teacher: self, teacher_epoch: 0, values: {conv2: conv2}, loss: smooth_l1, weight: 0.5}
  looks: {class: AttentionTransfer, teacher: self, values: {relu2: relu2}}
  relations: {class: RelationalDistillation, teacher: self, values: {flat: flat}, weight: 0.01}
)");
  insert("passes:\n", "  back: {class: rewind, epoch: 1}\n");
  insert("policies:\n", R"(  - {distiller: {instance_name: hints}, starting_epoch: 0, ending_epoch: 4}
  - {distiller: {instance_name: plain}, starting_epoch: 1, ending_epoch: 4}
  - {distiller: {instance_name: looks}, starting_epoch: 0, ending_epoch: 3}
  - {distiller: {instance_name: relations}, starting_epoch: 2, ending_epoch: 4}
)");
  recipe += "  - {pass: {instance_name: back}, epochs: [3]}\n";
  const auto whole = require_exact_small_resume(recipe);
  REQUIRE(whole.parameter("conv1.weight").value.size(0) < 8);
  auto settings = recipe;
  settings.insert(settings.find("{epochs: 4,") + 11, " accumulate: 2, precision: bfloat16,");
  require_exact_small_resume(settings);
}

TEST_CASE("resume: same seed, same masks and weights", "[schedule]") {
  const auto recipe = recipe_with(kSgd, "", kSteps);
  require_same_bits(train_network(recipe, small_network, nullptr, nullptr),
                    train_network(recipe, small_network, nullptr, nullptr));
}

TEST_CASE("resume: with every pruner that goes by activations or gradients, and with regrowth", "[schedule]") {
  const std::string native = "{class: Pruner, weights: ['conv*.weight'], criterion: ";
  const std::string filters = ", granularity: filter, amount: {class: agp, initial: 0.2, final: 0.5}}";
  const std::string elements = ", granularity: element, amount: {class: agp, initial: 0.2, final: 0.5}}";
  std::vector<std::string> pruners{
      "{class: AcDcPruner, level: 0.5}", "{class: RigLPruner, level: 0.5, stop: 1}",
      "{class: GradientRankedFilterPruner_AGP, group_type: 3D, initial_sparsity: 0.2, final_sparsity: 0.5, weights: "
      "[conv1.weight, conv2.weight]}",
      "{class: FMReconstructionChannelPruner, group_type: Channels, desired_sparsity: 0.3, weights: [conv2.weight], "
      "samples: 32}"};
  for (const auto* criterion : {"apoz", "mean_activation", "gradient", "{class: taylor, steps: 2}", "movement", "snip"})
    pruners.push_back(native + criterion + filters);
  for (const auto* criterion : {"gradient", "{class: taylor, steps: 4}", "movement", "snip"})
    pruners.push_back(native + criterion + elements);
  for (const auto& pruner : pruners)
    for (const std::string args :
         {"mini_batch_pruning_frequency: 2", "use_double_copies: true, mask_on_forward_only: true"}) {
      const auto recipe = "training: {epochs: 4, optimizer: " + kSgd +
                          "}\ndata: {name: synthetic_mnist, batch_size: 32, limits: {train: 96, validation: 32}, "
                          "prefetch: 0}\npruners:\n  p: " +
                          pruner + "\npolicies:\n  - {pruner: {instance_name: p, args: {" + args +
                          "}}, starting_epoch: 0, ending_epoch: 4}\n";
      const auto whole = require_exact_small_resume(recipe);
      REQUIRE((whole.parameter("conv2.weight").mask.defined() || args[0] == 'u'));
    }
}
