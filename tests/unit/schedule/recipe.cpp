#include "schedule/recipe.h"

#include "core/file.h"
#include "support/captured_stderr.h"
#include "support/check_error.h"
#include "support/temporary_folder.h"
#include "unit/schedule/support.h"

#include <catch2/catch.hpp>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;
using compress::test::error_text;
using compress::test::require_error;

namespace {

const std::string kPruner = R"(
pruners:
  fine: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.5, weights: [fc.weight]}
)";

std::string with_policy(const std::string& rest, const std::string& training = "") {
  return training + kPruner + "policies:\n  - {pruner: {instance_name: fine}, " + rest + "}\n";
}

}  // namespace

TEST_CASE("recipe: all sections are read", "[schedule]") {
  const auto recipe = recipe_of(R"(
version: 1
name: small
model: {arch: lenet5, inputs: {input: image}}
data: {name: synthetic_mnist, batch_size: 32}
training: {epochs: 3, seed: 7, optimizer: {class: SGD, lr: 0.1}}
export: [{format: onnx, file: a.onnx}, {format: onnx-qdq, file: b.onnx, opset: 18}]
checks: {metric_at_least: {top1: 90}, macs_ratio_at_most: 0.3}
early_exits: {early: {value: relu1, loss_weight: 0.3, threshold: 0.5}}
searches:
)");
  REQUIRE(recipe.name == "small");
  REQUIRE(recipe.model.spec() == "lenet5");
  REQUIRE(recipe.has_model());
  REQUIRE(recipe.data.batch_size == 32);
  REQUIRE(recipe.epochs() == 3);
  REQUIRE(recipe.training.inputs.at("input") == "image");
  REQUIRE(recipe.exports.at(1).format == "onnx-qdq");
  REQUIRE(recipe.exports.at(1).opset == 18);
  REQUIRE(recipe.checks.metric_at_least.at("top1") == 90);
  REQUIRE(*recipe.checks.macs_ratio_at_most == 0.3);
  REQUIRE(recipe.early_exits.at(0).value == "relu1");
}

TEST_CASE("recipe: one export may stand alone; without epochs the last policy's end counts", "[schedule]") {
  const auto recipe =
      recipe_of(with_policy("starting_epoch: 2, ending_epoch: 9, frequency: 2") + "export: {file: x.onnx}\n");
  REQUIRE(recipe.exports.size() == 1);
  REQUIRE(recipe.epochs() == 9);
  REQUIRE_FALSE(recipe.has_model());
  REQUIRE_FALSE(recipe.has_data());
}

TEST_CASE("recipe: what is no map of known sections is refused", "[schedule]") {
  require_error([] { recipe_of("[1, 2]"); }, "recipe.yaml:1:1: error: a recipe is a map of sections, not a list");
  require_error([] { recipe_of("prunners: {}"); }, "recipe.yaml:1:1: error: unknown section 'prunners'",
                "did you mean 'pruners'?");
  require_error([] { recipe_of("zzz: 1"); }, "unknown section 'zzz'", "sections: version, name, model");
  require_error([] { recipe_of("version: 2"); }, "version 2 of recipes is unknown", "this program reads version 1");
  require_error([] { recipe_of("data: 5"); }, "section 'data' must be a map, not");
  require_error([] { recipe_of("pruners: [a]"); },
                "'pruners' must be a map of names, each with 'class' and arguments, not a list");
  require_error([] { recipe_of("policies: {a: 1}"); }, "'policies' must be a list, not a map");
  require_error([] { recipe_of("policies: [5]"); }, "a policy must be a map, not");
  require_error([] { recipe_of("export: 5"); }, "'export' must be a map or a list of maps, not");
}

TEST_CASE("recipe: classes and arguments", "[schedule]") {
  require_error([] { recipe_of("pruners: {a: {weights: []}}"); }, "recipe.yaml:1:14: error: pruner 'a' lacks 'class'");
  require_error([] { recipe_of("pruners: {a: 3}"); }, "pruner 'a' must be a map with 'class' and arguments, not");
  require_error([] { recipe_of("pruners: {a: {class: AutomatedGradualPrunner}}"); },
                "recipe.yaml:1:22: error: unknown pruner 'AutomatedGradualPrunner'",
                "did you mean 'AutomatedGradualPruner'?");
  require_error(
      [] {
        recipe_of("pruners: {a: {class: AutomatedGradualPruner, final_sparsty: 1, initial_sparsity: x, weights: [b]}}");
      },
      "recipe.yaml:1:46: error: unknown key 'final_sparsty' in AutomatedGradualPruner 'a'",
      "'initial_sparsity' must be a number", "missing 'final_sparsity'");
  require_error([] { recipe_of(with_policy("starting_epoch: 0, ending_epoch: 1")); },
                "recipe.yaml:3:41: error: a gradual pruner needs at least two active epochs");
  require_error([] { recipe_of("training: {optimizer: {class: SDG}}"); }, "unknown optimi", "'SDG'",
                "did you mean 'SGD'?");
  require_error(
      [] {
        recipe_of("lr_schedulers: {a: {class: StepLR, step_size: 3, interval: hour}}\n"
                  "policies: [{lr_scheduler: {instance_name: a}, epochs: [0]}]");
      },
      "'interval' must be one of epoch or batch");
}

TEST_CASE("recipe: one problem does not hide another, and they come in the order of the file", "[schedule]") {
  const auto text = error_text(
      [] { recipe_of("checks: {metric_at_lest: {top1: 3}}\nversion: 3\npolicies: [{prunner: 1, epochs: [0]}]\n"); });
  const auto first = text.find("recipe.yaml:1:10"), second = text.find("recipe.yaml:2:10"),
             third = text.find("recipe.yaml:3:13");
  REQUIRE(first < second);
  REQUIRE(second < third);
  REQUIRE(third != std::string::npos);
}

TEST_CASE("recipe: what is wrong in a component that two policies use is said once", "[schedule]") {
  const auto text = error_text([] {
    recipe_of("passes: {t: {class: thick}}\n"
              "policies: [{pass: {instance_name: t}, epochs: [0]}, {pass: {instance_name: t}, epochs: [1]}]");
  });
  REQUIRE(text.find("'thick'") != std::string::npos);
  REQUIRE(text.find("'thick'") == text.rfind("'thick'"));
}

TEST_CASE("recipe: windows that cannot be", "[schedule]") {
  const auto policy = [](const std::string& rest, const std::string& training = "") {
    return error_text([&] { recipe_of(with_policy(rest, training)); });
  };
  using Catch::Contains;
  REQUIRE_THAT(policy("starting_epoch: -1, ending_epoch: 3"),
               Contains("'starting_epoch' must be an integer in [0, 1000000], not -1"));
  REQUIRE_THAT(
      policy("starting_epoch: 3, ending_epoch: 3"),
      Contains("recipe.yaml:5:70: error: 'ending_epoch' (3) must be above 'starting_epoch' (3); it is exclusive"));
  REQUIRE_THAT(policy("starting_epoch: 0, ending_epoch: 3, frequency: 0"),
               Contains("'frequency' must be an integer in [1, 1000000], not 0"));
  REQUIRE_THAT(policy("starting_epoch: 0, ending_epoch: 3, frequency: 4"),
               Contains("'frequency' (4) is larger than the policy's 3 epochs"));
  REQUIRE_THAT(policy("starting_epoch: 0"),
               Contains("the policy lacks 'ending_epoch'") && Contains("epochs: [0, 5, 10]"));
  REQUIRE_THAT(policy("ending_epoch: 5"), Contains("the policy lacks 'starting_epoch'"));
  REQUIRE_THAT(policy("epochs: [1, 2], frequency: 1"), Contains("'epochs' and 'frequency' exclude each other"));
  REQUIRE_THAT(policy("epochs: []"), Contains("'epochs' is empty"));
  REQUIRE_THAT(policy("epochs: 4"), Contains("'epochs' must be a list of integers, not 4"));
  REQUIRE_THAT(policy("epochs: [-3]"), Contains("'epochs[0]' must be an integer in [0, 1000000], not -3"));
  REQUIRE_THAT(error_text([] { recipe_of(kPruner + "policies: [{pruner: {instance_name: fine}}]"); }),
               Contains("the policy of a pruner needs epochs"));
  REQUIRE_THAT(policy("epochs: [1, 9]", "training: {epochs: 5}\n"),
               Contains("epoch 9 never comes: training has 5 epochs, the last is 4"));
  REQUIRE_THAT(policy("starting_epoch: 5, ending_epoch: 9", "training: {epochs: 5}\n"),
               Contains("epoch 5 never comes"));
  REQUIRE_THAT(policy("starting_epoch: 0, ending_epoch: 9", "training: {epochs: 0}\n"),
               Contains("epoch 0 never comes: training has no epoch (training.epochs is 0)"));
  REQUIRE_THAT(policy("epochs: [3]", "training: {epochs: 1}\n"),
               Contains("epoch 3 never comes: training has one epoch, number 0"));
}

TEST_CASE("recipe: settings of training that contradict each other have their place", "[schedule]") {
  require_error([] { recipe_of("training: {clip_norm: 1, clip_value: 2}"); },
                "recipe.yaml:1:12: error: 'clip_norm' and 'clip_value' exclude each other");
  require_error([] { recipe_of("training: {ema: {decay: 2}}"); }, "recipe.yaml:1:25: error: 'decay'");
  require_error(
      [] {
        recipe_of("lr_schedulers: {p: {class: ReduceLROnPlateau, interval: batch}}\n"
                  "policies: [{lr_scheduler: {instance_name: p}, epochs: [0]}]");
      },
      "recipe.yaml:1:47: error: ReduceLROnPlateau follows a metric of each epoch, so its 'interval' cannot be 'batch'");
  require_error(
      [] {
        recipe_of("lr_schedulers: {s: {class: StepLR, step_size: 1, warmup: {}}}\n"
                  "policies: [{lr_scheduler: {instance_name: s}, epochs: [0]}]");
      },
      "recipe.yaml:1:58: error: 'warmup' takes either 'epochs' or 'iterations'");
}

TEST_CASE("recipe: a window that training cuts short is only warned of", "[schedule]") {
  const auto warning = compress::test::captured_stderr(
      [] { recipe_of(with_policy("starting_epoch: 0, ending_epoch: 77", "training: {epochs: 5}\n")); });
  REQUIRE_THAT(warning, Catch::Contains("'ending_epoch' (77) lies behind the end of training (5 epochs)"));
}

TEST_CASE("recipe: policies and instances", "[schedule]") {
  require_error([] { recipe_of(kPruner + "policies: [{pruner: {instance_name: fnie}, epochs: [0, 1]}]"); },
                "there is no pruner 'fnie'", "did you mean 'fine'?");
  require_error([] { recipe_of(kPruner + "policies: [{epochs: [0, 1]}]"); }, "the policy names no instance",
                "one of pruner, regularizer, quantizer, distiller, lr_scheduler, pass, search or extension is missing");
  REQUIRE_THROWS_WITH(recipe_of(kPruner + "policies: [{prunner: {instance_name: fine}, epochs: [0, 1]}]"),
                      Catch::Contains("unknown key 'prunner' in a policy\n  hint: did you mean 'pruner'?") &&
                          !Catch::Contains("names no instance"));
  require_error(
      [] {
        recipe_of(kPruner + "policies: [{pruner: {instance_name: fine}, pass: {instance_name: x}, epochs: [0, 1]}]");
      },
      "a policy has one instance; here are 'pruner' and 'pass'");
  require_error([] { recipe_of(with_policy("epochs: [0, 1], frequncy: 2")); }, "unknown key 'frequncy' in a policy",
                "did you mean 'frequency'?");
  require_error([] { recipe_of(kPruner + "policies: [{pruner: {instance_nam: fine}, epochs: [0, 1]}]"); },
                "unknown key 'instance_nam' in a pruner policy");
  require_error(
      [] {
        recipe_of("passes: {t: {class: thin}}\npolicies: [{pass: {instance_name: t, args: {a: 1}}, epochs: [0]}]");
      },
      "the policy of a pass takes no 'args'");
  require_error([] { recipe_of("passes: {t: {class: thin}}\nextensions: {t: {class: thin}}"); },
                "pass 't' is defined twice, in 'passes' and in 'extensions'");
}

TEST_CASE("recipe: a component that no policy uses is checked and warned of", "[schedule]") {
  const auto warning = compress::test::captured_stderr([] { recipe_of("passes: {lonely: {class: thin}}"); });
  REQUIRE_THAT(warning, Catch::Contains("recipe.yaml:1:10: no policy uses pass 'lonely'"));
  require_error([] { recipe_of("passes: {lonely: {class: thick}}"); }, "unknown pass 'thick'");
}

TEST_CASE("recipe: arguments of policies", "[schedule]") {
  const auto policy = [](const std::string& args, const std::string& frequency = "1") {
    return error_text([&] {
      recipe_of(kPruner + "policies:\n  - {pruner: {instance_name: fine, args: {" + args +
                "}}, starting_epoch: 0, ending_epoch: 9, frequency: " + frequency + "}\n");
    });
  };
  using Catch::Contains;
  REQUIRE_THAT(policy("keep_maks: true"), Contains("unknown key 'keep_maks' in the policy of pruner 'fine'") &&
                                              Contains("did you mean 'keep_mask'?"));
  REQUIRE_THAT(policy("mask_gradients: true"),
               Contains("recipe.yaml:5:43: error: 'mask_gradients' needs 'mask_on_forward_only: true'"));
  REQUIRE_THAT(policy("mini_batch_pruning_frequency: 2", "3"),
               Contains("'mini_batch_pruning_frequency' needs a policy that is active in every epoch"));
  REQUIRE_THAT(policy("mask_on_forward_only: true", "3"),
               Contains("'mask_on_forward_only' needs a policy that is active in every epoch"));
  REQUIRE_THAT(policy("use_double_copies: true", "3"),
               Contains("'use_double_copies' needs a policy that is active in every epoch"));
  REQUIRE_THAT(policy("levels: {fc.weight: 0.1}"),
               Contains("'levels' are those of a SparsityLevelParameterPruner; AutomatedGradualPruner has none"));
  require_error(
      [] {
        recipe_of("regularizers: {a: {class: L1Regularizer, reg_regims: {fc.weight: 0.1}}}\n"
                  "policies: [{regularizer: {instance_name: a, args: {keep_mask: true}}, epochs: [0]}]");
      },
      "'keep_mask' has nothing to keep: regularizer 'a' has no 'threshold_criteria'");
}

TEST_CASE("recipe: a network is quantised once, and training quantisers need a start", "[schedule]") {
  const std::string quantizers =
      "quantizers: {a: {class: PostTrainMinMaxQuantizer}, b: {class: QuantAwareTrainRangeLinearQuantizer}}\n";
  require_error(
      [&] {
        recipe_of(quantizers +
                  "policies: [{quantizer: {instance_name: a}}, {quantizer: {instance_name: b}, epochs: [0]}]");
      },
      "a network is quantised once, but quantizer 'b' follows 'a'");
  require_error([&] { recipe_of(quantizers + "policies: [{quantizer: {instance_name: b}}]"); },
                "QuantAwareTrainRangeLinearQuantizer 'b' trains with quantisation: its policy needs a starting epoch");
}

TEST_CASE("recipe: sources and exports that contradict each other", "[schedule]") {
  require_error([] { recipe_of("model: {arch: lenet5, onnx: a.onnx}"); }, "section 'model' names several sources",
                "keep one of arch, onnx and run");
  require_error([] { recipe_of("export: [{}, {}]"); }, "two exports write 'model.onnx'");
}

TEST_CASE("recipe: binding reports every name that matches nothing, with its place", "[schedule]") {
  const auto recipe = recipe_of(R"(
pruners:
  a: {class: AutomatedGradualPruner, initial_sparsity: 0.1, final_sparsity: 0.5, weights: [fc.wieght, 'layer9.*']}
regularizers:
  b: {class: L1Regularizer, reg_regims: {layer1.0.conv1.weihgt: 0.1}}
quantizers:
  c: {class: PostTrainMinMaxQuantizer, overrides: {nothing: {bits_weights: 4}}}
policies:
  - {pruner: {instance_name: a}, epochs: [0, 1]}
  - {regularizer: {instance_name: b}, epochs: [0]}
  - {quantizer: {instance_name: c}}
)");
  require_error([&] { recipe.bind(resnet_names(), no_model); },
                "recipe.yaml:3:92: error: 'resnet' has no parameter 'fc.wieght'\n  hint: did you mean 'fc.weight'?",
                "recipe.yaml:3:103: error: the pattern 'layer9.*' matches no parameter of 'resnet'",
                "recipe.yaml:5:42: error: 'resnet' has no parameter 'layer1.0.conv1.weihgt'", "'nothing'");
}

TEST_CASE("recipe: folding batch-norm needs one behind each convolution", "[schedule]") {
  const auto recipe = recipe_of(R"(
pruners:
  a: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [conv.weight]}
policies:
  - {pruner: {instance_name: a, args: {fold_batchnorm: true}}, epochs: [0]}
)");
  const auto graph =
      parse_graph("graph g(input: float[N,2,4,4]) -> (output = conv)\nparameter conv.weight: float[3,2,1,1]\n"
                  "conv = Conv(input, %conv.weight) kernel_shape=[1,1]\n");
  require_error([&] { recipe.bind(graph, no_model); },
                "'fold_batchnorm' needs exactly one batch-norm behind convolution 'conv'");
}

TEST_CASE("recipe: a file's name and overrides", "[schedule]") {
  const compress::test::TemporaryFolder folder;
  write_file(folder / "mine.yaml", "training: {epochs: 30}\n");
  const auto plain = Recipe::read(folder / "mine.yaml");
  const auto changed = Recipe::read(folder / "mine.yaml", {"training.epochs=3", "data.name=mnist"});
  REQUIRE(plain.name == "mine");
  REQUIRE(plain.epochs() == 30);
  REQUIRE(changed.epochs() == 3);
  REQUIRE(changed.data.name == "mnist");
  REQUIRE(plain.hash() != changed.hash());
  REQUIRE(plain.hash() == Recipe::read(folder / "mine.yaml").hash());
}
