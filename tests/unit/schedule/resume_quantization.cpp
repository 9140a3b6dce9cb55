// Quantisation-aware training together with masks, a teacher, fewer and fewer bits and batch-norms that freeze: masked
// weights stay exactly zero, and a run that stops goes on with the same bits.
#include "unit/schedule/resume.h"

#include <ATen/ops/ones.h>

using namespace compress;
using namespace compress::schedule;
using namespace compress::schedule::test;

namespace {

/// Two convolutions with batch-norm around an addition, for 28x28 images.
Graph residual_network() {
  const auto norm = [](const std::string& name) {
    return "parameter " + name + ".weight: float[8]\nparameter " + name + ".bias: float[8]\nparameter " + name +
           ".running_mean: float[8] fixed\nparameter " + name + ".running_var: float[8] fixed\n";
  };
  auto graph = parse_graph("graph residual(input: float[N,1,28,28]) -> (output = fc)\n"
                           "parameter conv1.weight: float[8,1,3,3]\nparameter conv2.weight: float[8,8,3,3]\n" +
                           norm("bn1") + norm("bn2") + R"(parameter fc.weight: float[10,8]
parameter fc.bias: float[10]
conv1 = Conv(input, %conv1.weight) kernel_shape=[3,3] strides=[3,3]
bn1 = BatchNormalization(conv1, %bn1.weight, %bn1.bias, %bn1.running_mean, %bn1.running_var)
relu1 = Relu(bn1)
conv2 = Conv(relu1, %conv2.weight) kernel_shape=[3,3] pads=[1,1,1,1]
bn2 = BatchNormalization(conv2, %bn2.weight, %bn2.bias, %bn2.running_mean, %bn2.running_var)
sum = Add(bn2, relu1)
relu2 = Relu(sum)
pool = GlobalAveragePool(relu2)
flat = Flatten(pool)
fc = Gemm(flat, %fc.weight, %fc.bias) transB=1
)");
  for (const auto& name : graph.parameter_names()) {
    const auto& value = graph.parameter(name).value;
    const auto wave = at::arange(value.numel()).to(at::kFloat).mul(12.9898).sin().mul(0.3).view(value.sizes());
    const bool positive = name.ends_with("running_var") || (name.starts_with("bn") && name.ends_with(".weight"));
    graph.assign(name, positive ? at::ones(value.sizes()) : wave);
  }
  return graph;
}

std::string quantising_recipe(const std::string& quantizer,
                              const std::string& epochs = "starting_epoch: 1, ending_epoch: 5",
                              int lr_steps = 2) {
  return R"(training: {epochs: 5, optimizer: {class: SGD, lr: 0.02, momentum: 0.9}}
lr_schedulers: {rates: {class: StepLR, gamma: 0.5, step_size: )" +
         std::to_string(lr_steps) + R"(}}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 96, validation: 32}, prefetch: 0}
pruners: {fine: {class: AutomatedGradualPruner, initial_sparsity: 0.2, final_sparsity: 0.6, weights: [conv2.weight, fc.weight]}}
distillers: {teacher: {class: KnowledgeDistillation, teacher: self, teacher_epoch: 0}}
quantizers: {q: )" +
         quantizer + R"(}
policies:
  - {distiller: {instance_name: teacher}, starting_epoch: 1, ending_epoch: 5}
  - {pruner: {instance_name: fine}, starting_epoch: 0, ending_epoch: 3}
  - {quantizer: {instance_name: q}, )" +
         epochs + R"(}
  - {lr_scheduler: {instance_name: rates}, starting_epoch: 0, ending_epoch: 5}
)";
}

void require_masked_zeros(const Graph& graph) {
  for (const char* name : {"conv2.weight", "fc.weight"}) {
    INFO(name);
    const auto& weight = graph.parameter(name);
    REQUIRE(weight.mask.defined());
    REQUIRE(static_cast<double>(weight.mask.eq(0).sum().item<int64_t>()) >
            0.5 * static_cast<double>(weight.value.numel()));
    REQUIRE(weight.value.masked_select(weight.mask.eq(0)).eq(0).all().item<bool>());
  }
}

Graph require_exact(const std::string& arguments) {
  auto graph = require_exact_resume(
      quantising_recipe("{class: QuantAwareTrainRangeLinearQuantizer, bits_activations: 6, bits_weights: 4, " +
                        arguments + "}"),
      residual_network);
  require_masked_zeros(graph);
  return graph;
}

int64_t bits_of(const Graph& graph, const std::string& node) {
  return graph.node(node).attributes.integer("bits", 0);
}

}  // namespace

TEST_CASE("resume: quantisation-aware training with masks and a teacher", "[schedule]") {
  require_exact("fold_batchnorm: true");
  require_exact("fold_batchnorm: exact, per_channel_wts: true");
  require_exact("fold_batchnorm: true, mode: ASYMMETRIC_SIGNED, per_channel_wts: true");
}

TEST_CASE("resume: in the middle of a bits schedule", "[schedule]") {
  const auto graph = require_exact("bits_schedule: {1: 8, 2: 6, 3: 4}");
  REQUIRE(bits_of(graph, "conv2") == 4);
  REQUIRE(bits_of(graph, "relu2.quantizer") == 6);
  require_exact("initial_bits: 8, bits_step: 2");
}

TEST_CASE("resume: before and behind the step at which batch-norms freeze", "[schedule]") {
  for (const int delay : {2, 3, 7}) {
    const auto graph = require_exact("freeze_bn_delay: " + std::to_string(delay));
    REQUIRE(graph.node("conv2").op == "Conv");
    REQUIRE(graph.find_parameter("bn2.weight") == nullptr);
  }
}

TEST_CASE("resume: in the middle of a relaxation", "[schedule]") {
  // every epoch counts as stale
  const auto graph = require_exact(
      "relaxation: {W_bits: 6, x_bits: 7, delta_loss_less_than: 100, abs_loss_stale: 100, lr_scaler: 0.5}");
  REQUIRE(bits_of(graph, "conv2") < 6);
  require_exact("relaxation: {W_bits: 6, x_bits: 7, divergence_abs_threshold: 0.001, divergence_policy: lower_lr}");
}

TEST_CASE("resume: a relaxed learning rate, beside a schedule of rates and behind the policy's epochs", "[schedule]") {
  const auto require_exact_rate = [](const std::string& relaxation, const std::string& epochs, int lr_steps) {
    require_exact_resume(
        quantising_recipe("{class: QuantAwareTrainRangeLinearQuantizer, bits_activations: 6, bits_weights: 4, "
                          "relaxation: {W_bits: 6, x_bits: 7, " +
                              relaxation + "}}",
                          epochs, lr_steps),
        residual_network);
  };
  const std::string lowered_at_once = "divergence_abs_threshold: 0.001, divergence_policy: lower_lr";
  require_exact_rate(lowered_at_once, "starting_epoch: 0, ending_epoch: 2", 4);
  require_exact_rate(lowered_at_once, "starting_epoch: 0, ending_epoch: 5, frequency: 2", 1);
  require_exact_rate(
      "delta_loss_less_than: 100, abs_loss_stale: 100, custom_scaler: [{W_bits: 5, x_bits: 6, lr: 0.03}]",
      "starting_epoch: 0, ending_epoch: 5", 1);
}
