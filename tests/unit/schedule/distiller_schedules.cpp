// Schedules in Distiller's format, as its examples have them, parse and bind without a change.
#include "support/check_error.h"
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

const char* const kFiltersAndFine = R"(
version: 1
pruners:
  low_pruner:
    class: L1RankedStructureParameterPruner_AGP
    initial_sparsity : 0.10
    final_sparsity: 0.50
    group_type: Filters
    weights: [module.layer2.0.conv1.weight,
              module.layer2.0.conv2.weight,
              module.layer2.0.downsample.0.weight,
              module.layer2.1.conv1.weight]
  fine_pruner:
    class: AutomatedGradualPruner
    initial_sparsity : 0.05
    final_sparsity: 0.70
    weights: [module.layer3.1.conv1.weight, module.layer3.2.conv2.weight]
  fc_pruner:
    class: L1RankedStructureParameterPruner_AGP
    initial_sparsity : 0.05
    final_sparsity: 0.50
    group_type: Rows
    weights: [module.fc.weight]
lr_schedulers:
  pruning_lr:
    class: StepLR
    step_size: 50
    gamma: 0.10
extensions:
  net_thinner:
      class: 'FilterRemover'
      thinning_func_str: remove_filters
      arch: 'resnet20_cifar'
      dataset: 'cifar10'
policies:
  - pruner:
      instance_name : low_pruner
    starting_epoch: 0
    ending_epoch: 30
    frequency: 2
  - pruner:
      instance_name : fine_pruner
    starting_epoch: 30
    ending_epoch: 50
    frequency: 2
  - pruner:
      instance_name : fc_pruner
    starting_epoch: 30
    ending_epoch: 50
    frequency: 2
  - extension:
      instance_name: net_thinner
    epochs: [30]
  - lr_scheduler:
      instance_name: pruning_lr
    starting_epoch: 0
    ending_epoch: 400
    frequency: 1
)";

const char* const kRankedWithLeader = R"(
version: 1
pruners:
  filter_pruner_60:
    class: 'L1RankedStructureParameterPruner'
    group_type: Filters
    desired_sparsity: 0.6
    group_dependency: Leader
    weights: [
      module.layer1.0.conv1.weight,
      module.layer1.1.conv1.weight]
  filter_pruner_50:
    class: 'L1RankedStructureParameterPruner'
    group_type: 3D
    desired_sparsity: 0.5
    weights: layer2.1.conv1.weight
extensions:
  net_thinner:
      class: 'FilterRemover'
      thinning_func_str: remove_filters
      arch: 'resnet56_cifar'
      dataset: 'cifar10'
lr_schedulers:
   exp_finetuning_lr:
     class: MultiStepLR
     milestones: [10, 20]
     gamma: 0.95
policies:
  - pruner:
      instance_name: filter_pruner_60
    epochs: [0]
  - pruner:
      instance_name: filter_pruner_50
    epochs: [0]
  - extension:
      instance_name: net_thinner
    epochs: [0]
  - lr_scheduler:
      instance_name: exp_finetuning_lr
    starting_epoch: 10
    ending_epoch: 300
    frequency: 1
)";

const char* const kDoubleCopies = R"(
version: 1
pruners:
  level_pruner:
    class: SparsityLevelParameterPruner
    levels: {'*': 0.1, fc.weight: 0.2}
regularizers:
  slimming:
    class: L1Regularizer
    reg_regims: {'layer1.*.bn.weight': 0.007}
    threshold_criteria: Mean_Abs
lr_schedulers:
  training_lr:
    class: StepLR
    step_size: 45
    gamma: 0.10
policies:
  - pruner:
      instance_name: level_pruner
      args:
        mini_batch_pruning_frequency: 16
        discard_masks_at_minibatch_end: True
        use_double_copies: True
        mask_on_forward_only: True
        keep_mask: False
    starting_epoch: 0
    ending_epoch: 120
    frequency: 1
  - regularizer:
      instance_name: slimming
      args:
        keep_mask: True
    starting_epoch: 0
    ending_epoch: 180
    frequency: 1
  - lr_scheduler:
      instance_name: training_lr
    starting_epoch: 45
    ending_epoch: 180
    frequency: 1
)";

const char* const kQuantized = R"(
quantizers:
  linear_quantizer:
    class: QuantAwareTrainRangeLinearQuantizer
    bits_activations: 8
    bits_weights: 8
    mode: 'ASYMMETRIC_UNSIGNED'
    ema_decay: 0.999
    per_channel_wts: True
policies:
    - quantizer:
        instance_name: linear_quantizer
      starting_epoch: 0
      ending_epoch: 300
      frequency: 1
)";

}  // namespace

TEST_CASE("Distiller: gradual filter and fine pruning with thinning parses and binds", "[schedule]") {
  const auto recipe = recipe_of(kFiltersAndFine);
  const auto scheduler = recipe.bind(resnet_names(), no_model);
  REQUIRE(scheduler->policies().size() == 5);
  REQUIRE(recipe.epochs() == 400);
  REQUIRE(scheduler->first_compressing_epoch(400) == 0);
  REQUIRE(scheduler->first_settled_epoch() == 48);
  REQUIRE(recipe.timeline() == "epochs 0-28 step 2   pruner low_pruner (L1RankedStructureParameterPruner_AGP)\n"
                               "epochs 30-48 step 2  pruner fine_pruner (AutomatedGradualPruner)\n"
                               "epochs 30-48 step 2  pruner fc_pruner (L1RankedStructureParameterPruner_AGP)\n"
                               "epoch 30             pass net_thinner (FilterRemover)\n"
                               "epochs 0-399         lr_scheduler pruning_lr (StepLR)\n");
}

TEST_CASE("Distiller: one-shot ranking with a leader, and a single weight that is no list", "[schedule]") {
  const auto recipe = recipe_of(kRankedWithLeader);
  REQUIRE(recipe.bind(resnet_names(), no_model)->policies().size() == 4);
  REQUIRE(recipe.policies[1].class_name == "L1RankedStructureParameterPruner");
}

TEST_CASE("Distiller: the arguments of pruner and regulariser policies", "[schedule]") {
  REQUIRE(recipe_of(kDoubleCopies).bind(resnet_names(), no_model)->policies().size() == 3);
}

TEST_CASE("Distiller: quantisation-aware training", "[schedule]") {
  REQUIRE(recipe_of(kQuantized).bind(resnet_names(), no_model)->first_compressing_epoch(300) == 0);
}

TEST_CASE("Distiller: a parameter that the network lacks is named with its place", "[schedule]") {
  std::string text = kRankedWithLeader;
  text.replace(text.find("layer2.1.conv1.weight"), 21, "layer2.1.conv9.weight");
  const auto recipe = recipe_of(text);
  compress::test::require_error([&] { recipe.bind(resnet_names(), no_model); },
                                "recipe.yaml:16:14: error: 'resnet' has no parameter 'layer2.1.conv9.weight'",
                                "did you mean 'layer2.1.conv");
}
